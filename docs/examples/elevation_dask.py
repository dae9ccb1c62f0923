# SPDX-License-Identifier: BSD-3-Clause
"""How steep the land is around the Jacksboro fault: Dask computes on shared arrays.

The elevations that matplotlib ships (90 m apart, Tennessee) lie in one shared array, and the
slopes in another. Tasks get bands of them, 150 bytes each; they write their part in place,
and nothing of the data is sent. Run by `python3 elevation_dask.py`; needs dask, distributed
and matplotlib.
"""

import matplotlib.cbook
import numpy as np
import SharedArray as sa
import SharedArray.dask  # noqa: F401  it registers with Dask
from distributed import Client, LocalCluster

BAND = 50  # rows of a task
METRES_PER_DEGREE = 111_200


def fill(elevation, spacing, out, start):
    """Slopes of a band, in degrees, into `out`. The band has a row more on either side, where
    there is one, so that it matters to nobody where it was cut: `out` starts at row `start`."""
    rise_y, rise_x = np.gradient(elevation.astype(float), *spacing)
    steepness = np.degrees(np.arctan(np.hypot(rise_x, rise_y)))
    out[:] = steepness[start : start + len(out)]
    return float(out.max())


def main():
    with matplotlib.cbook.get_sample_data("jacksboro_fault_dem.npz") as data:
        ground = data["elevation"]
        middle = np.radians((data["ymin"] + data["ymax"]) / 2)
        spacing = (
            float(data["dy"]) * METRES_PER_DEGREE,
            float(data["dx"]) * METRES_PER_DEGREE * float(np.cos(middle)),
        )
    sa.put("elevation", ground)
    elevation = sa.share(sa.attach("elevation", ro=True))
    slope = sa.share(sa.create("slope", ground.shape))
    try:
        # The arrays are no memory of the workers' own: no limit on what they see.
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=0) as cluster,
            Client(cluster) as client,
        ):
            futures = []
            for top in range(0, len(ground), BAND):
                above = max(top - 1, 0)
                band = elevation[above : top + BAND + 1]
                out = slope[top : top + BAND]
                futures.append(client.submit(fill, band, spacing, out, top - above, pure=False))
            steepest = max(client.gather(futures))
        print(f"{slope.size} places, {slope.mean():.2f} degrees on average, {steepest:.2f} at most")
    finally:
        sa.delete("elevation")
        sa.delete("slope")


if __name__ == "__main__":
    main()
