/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The handlers of the kernel's requests, one op_<operation> each: find what it is about, call
 * something that does it, send exactly one reply. There are none for flock and fcntl locks, on
 * purpose: the kernel keeps those itself, and a lock that waits in the daemon could not be killed.
 */
#ifndef SHARRFS_OPS_H
#define SHARRFS_OPS_H

#include "client.h"
#include "fs.h"
#include "fuse_api.h"

extern const struct fuse_lowlevel_ops ops_table;

static inline struct fs *ops_fs(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct inode *ops_inode(fuse_req_t req, fuse_ino_t number)
{
	return inode_of(&ops_fs(req)->inodes, number);
}

static inline struct client ops_client(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct client){.thread = ctx->pid, .uid = ctx->uid, .gid = ctx->gid};
}

/*
 * The kernel is told what `name` in the directory `parent` (`dirfd`) is, other than by a lookup: as a
 * lookup does, hold it if need be.
 */
void ops_hold(struct fs *fs, const struct inode *parent, int dirfd, const char *name);

/* Answer with 0 or a negative errno. */
void ops_reply(fuse_req_t req, int rc);

/* ops_namespace.c */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	       const char *newname, unsigned flags);

/* ops_attributes.c */
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t ino);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t room);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t room);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t bytes,
		 int flags);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* ops_data.c */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t offset, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t bytes, off_t offset,
	      struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t bytes,
		  struct fuse_file_info *fi);
void op_copy_file_range(fuse_req_t req, fuse_ino_t from_ino, off_t from_offset,
			struct fuse_file_info *from, fuse_ino_t to_ino, off_t to_offset,
			struct fuse_file_info *to, size_t bytes, int flags);

/* ops_directory.c */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t room, off_t offset,
		struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t room, off_t offset,
		    struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

#endif
