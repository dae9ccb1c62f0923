# SPDX-License-Identifier: BSD-3-Clause
"""What the command `sharr` is made of; not for import by programs."""
