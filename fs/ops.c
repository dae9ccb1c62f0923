/* SPDX-License-Identifier: BSD-3-Clause */
#include "ops.h"

#include <errno.h>

/*
 * Out of descriptors is the daemon's trouble: the caller, who has some, is told that the system has
 * none.
 */
void ops_reply(fuse_req_t req, int rc)
{
	fuse_reply_err(req, rc == -EMFILE ? ENFILE : -rc);
}

/*
 * Requests of 1 MiB are libfuse's largest, and its choice unless told otherwise; read-ahead of the
 * fallback as the kernel likes. Every listing brings the attributes: to say that a file is an array
 * they are needed anyway, and ls reads all names before it asks for the attributes of any.
 */
static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;

	conn->max_write = IO_BYTES_MAX;
	conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	backing_negotiate(&fs->backing, conn);
}

const struct fuse_lowlevel_ops ops_table = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.create = op_create,
	.mknod = op_mknod,
	.symlink = op_symlink,
	.link = op_link,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.rename = op_rename,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.lseek = op_lseek,
	.fallocate = op_fallocate,
	.copy_file_range = op_copy_file_range,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsyncdir,
};
