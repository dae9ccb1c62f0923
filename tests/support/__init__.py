# SPDX-License-Identifier: BSD-3-Clause
"""What the tests share: waiting, stores, mounts and other Python processes."""
