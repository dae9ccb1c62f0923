# SPDX-License-Identifier: BSD-3-Clause
"""Takes the grain out of a photograph: joblib computes on shared arrays.

The photograph is the one that matplotlib ships, with noise added. Each task gets a band of it
and the same band of a shared array for the result, which it writes in place. Ordinary arrays
of that size would reach joblib's workers as read-only copies. Run by
`python3 photo_joblib.py`; needs joblib, matplotlib and pillow.
"""

import matplotlib.cbook
import numpy as np
import PIL.Image
import SharedArray as sa
from joblib import Parallel, delayed

BAND = 100  # rows of a task


def median_of_nine(band, out, start):
    """Each value of `out` is the median of itself and its neighbours; its first row is row `start`
    of the band, which has a row more on either side where there is one."""
    padded = np.pad(band, [(1, 1), (1, 1), (0, 0)], mode="edge")
    rows, columns = band.shape[:2]
    shifted = [padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    out[:] = np.median(shifted, axis=0)[start : start + len(out)]


def error(a, b):
    return np.sqrt(np.mean((a.astype(float) - b.astype(float)) ** 2))


def main():
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        photo = np.asarray(PIL.Image.open(file))
    noise = np.random.default_rng(1).normal(0, 25, photo.shape)
    sa.put("noisy", np.clip(photo + noise, 0, 255).astype("u1"))
    noisy = sa.share(sa.attach("noisy", ro=True))
    clean = sa.share(sa.create("clean", photo.shape, "u1"))
    try:
        tasks = []
        for top in range(0, len(photo), BAND):
            above = max(top - 1, 0)
            band = noisy[above : top + BAND + 1]
            tasks.append(delayed(median_of_nine)(band, clean[top : top + BAND], top - above))
        Parallel(n_jobs=2)(tasks)
        print(f"noise before {error(noisy, photo):.1f}, after {error(clean, photo):.1f}")
    finally:
        sa.delete("noisy")
        sa.delete("clean")


if __name__ == "__main__":
    main()
