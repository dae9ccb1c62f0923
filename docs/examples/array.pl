#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
#
# An array in a language that knows neither numpy nor sharr: by the mount alone. The file holds
# just the data, its extended attributes say what they mean, and a map of it is the memory that all
# who have the array attached see.
#
#   perl array.pl /mnt/sharr/prices
#
# prints what it is, then answers each line on stdin: "2 0" with element [2, 0], and "2 0 = 7.5"
# sets it first.
use strict;
use warnings;

my %letters = (b1 => "C", i1 => "c", u1 => "C", i2 => "s", u2 => "S", i4 => "l", u4 => "L",
	i8 => "q", u8 => "Q", f4 => "f", f8 => "d");

# An attribute's value, by the command getfattr: Perl has no call for it.
sub attribute {
	my ($path, $name) = @_;
	open(my $pipe, "-|", "getfattr", "--absolute-names", "--only-values", "-n", "user.sharr.$name", "--", $path)
		or die "getfattr: $!\n";
	my $value = do { local $/; <$pipe> };
	close($pipe) or die "$path is no array in a mount of sharrfs\n";
	return $value // "";
}

# "<f8" as pack() and unpack() want it, and the bytes of one element.
sub template_of {
	my ($dtype) = @_;
	my ($order, $kind) = $dtype =~ /^([<>|])(\w\d)$/;
	die "no numbers that Perl knows: $dtype\n" unless $kind && $letters{$kind};
	my $bytes = substr($kind, 1);
	return ($letters{$kind} . ($bytes > 1 ? $order : ""), $bytes);
}

# How many elements to step for one more of each index.
sub strides_of {
	my ($order, @shape) = @_;
	my ($step, @strides) = (1);
	for my $i ($order eq "F" ? 0 .. $#shape : reverse 0 .. $#shape) {
		$strides[$i] = $step;
		$step *= $shape[$i];
	}
	return @strides;
}

sub offset_of {
	my ($shape, $strides, @index) = @_;
	die "it takes " . @$shape . " indices\n" unless @index == @$shape;
	my $offset = 0;
	for my $i (0 .. $#index) {
		die "index $index[$i] is out of bounds\n" unless $index[$i] =~ /^\d+$/ && $index[$i] < $shape->[$i];
		$offset += $index[$i] * $strides->[$i];
	}
	return $offset;
}

my $path = shift or die "usage: array.pl FILE\n";
my $dtype = attribute($path, "dtype");
my @shape = split /,/, attribute($path, "shape");
my $order = attribute($path, "order");
my ($template, $bytes) = template_of($dtype);
my @strides = strides_of($order, @shape);

# The layer :mmap maps the whole file, shared; what is written to the file is in the map at once.
open(my $map, "<:raw:mmap", $path) or die "$path: $!\n";
open(my $file, "+<:raw", $path) or die "$path: $!\n";

$| = 1;
print "$dtype, shape (", join(", ", @shape), "), order $order\n";
while (my $line = <STDIN>) {
	my ($index, $value) = split /=/, $line;
	my $at = $bytes * offset_of(\@shape, \@strides, split(" ", $index));
	if (defined $value) {
		sysseek($file, $at, 0);
		syswrite($file, pack($template, $value)) or die "$path: $!\n";
	}
	seek($map, $at, 0);
	read($map, my $element, $bytes) or die "$path: $!\n";
	print unpack($template, $element), "\n";
}
