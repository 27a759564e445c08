# SPDX-License-Identifier: Apache-2.0
"""Whatever instant the power goes at: each acknowledged line is there, once, in order.
CRASH_IMAGES: how many disks are built (10, in the long form 24; 1000 by hand); CRASH_SEED: another
course of events."""
import os
import time

import pytest

import power_loss
import scene
from halogi import how_many

IMAGES = how_many("CRASH_IMAGES", 10, 24)
SEED = os.environ.get("CRASH_SEED") or str(time.time_ns())
PER_RUN = 40


@pytest.mark.parametrize("n", range((IMAGES + PER_RUN - 1) // PER_RUN))
def test_power_loss_takes_nothing_that_was_acknowledged(n):
    with scene.folder("power") as where:
        print(f"CRASH_SEED={SEED}")
        run = power_loss.record(where, f"{SEED}/{n}", seconds=8 if IMAGES > PER_RUN else 3 if IMAGES >= 20 else 1.5)
        assert sum(p.acked_at is not None for p in run.book.pushes) > 20
        n_images = min(PER_RUN, IMAGES - n * PER_RUN)
        power_loss.check_images(run, n_images - n_images // 4, f"{SEED}/{n}/images")
        again = power_loss.next_life(run, f"{SEED}/{n}/again", seconds=2 if IMAGES >= 20 else 1)
        power_loss.check_images(again, n_images // 4, f"{SEED}/{n}/again/images")


def test_a_disk_that_lies_about_syncs_is_found_out():
    """The check can fail: the same run on such a disk must lose lines."""
    def lie(shim):
        shim.control.sync_lies = 1
    with scene.folder("lies") as where:
        run = power_loss.record(where, SEED, seconds=1, prepare=lie)
        with pytest.raises(AssertionError, match="acknowledged lines are lost|the server ended"):
            power_loss.check_images(run, 20, SEED)
