"""Written by ``make features`` from the domain's features; edit those. The loops behind ``update`` and
``fill``."""

from __future__ import annotations

from math import isnan

import numpy as np
from numpy.typing import NDArray

from features.history.arrival import Rows
from features.base.compiled import compiled_cached
from features.catalogue.formulas import UNIT, known, over, ratio_to_others, risk, share
from features.history.insert import take_in
from features.history.prefetch import AHEAD, fetch_rows, fetch_subject
from features.transform.profiles import MEAN_MEASURE, category_mean, distance_from_home, is_usual_counterpart, share_around
from features.transform.read_columns import Read
from features.history.running_sums import LANE_BITS, LANE_MASK
from features.history.row_layout import History
from features.transform.counterpart_tiles import LAST_LABEL, RUN, RUN_DAYS, SINCE_NEGATIVE, SINCE_POSITIVE, Known, read
from features.history.findings import (
    DECAYED_COUNT,
    DECAYED_TOTAL,
    HIGH_14D,
    KM,
    MEDIAN,
    RATIO,
    RATIO_3D,
    RATIO_14D,
    REPEAT,
    SINCE_HIGH,
    SINCE_LAST,
    SPEED,
    Walk,
)
from features.catalogue.windows import DAY_MS, HOUR_MS

#: Of the sources that this was made of (``features.catalogue.generate.fingerprint``).
FINGERPRINT = "9453b3fb1a151949"


@compiled_cached
def stream_rows(
    h: History, slots: NDArray[np.int64], rows: Rows, limit: int, out: NDArray[np.float32], w: Walk
) -> None:
    """Put each row into its subject's history and write the stream's columns of its vector. ``w``: room for one walk."""
    n = slots.shape[0]
    for i in range(n):
        if i + 2 * AHEAD < n:
            fetch_subject(h, slots[i + 2 * AHEAD])
        if i + AHEAD < n:
            fetch_rows(h, slots[i + AHEAD])
        time, mode, flag = rows.time[i], rows.mode[i], rows.flag[i]
        take_in(h, slots[i], rows, i, (4 if time % DAY_MS >= 17 * HOUR_MS else 0) | (8 if mode == 1 else 0) | (16 if mode == 2 else 0), w)
        measure = rows.measure[i]
        hour = (time % DAY_MS) / HOUR_MS
        weekday = (time // DAY_MS + 3) % 7
        LIMIT = limit
        mode = rows.mode[i]
        count_5m = w.counts[0]
        total_5m = w.total[0]
        highest_5m = w.highest[0]
        count_1h = w.counts[1]
        total_1h = w.total[1]
        highest_1h = w.highest[1]
        distinct_1h = w.lanes[1] >> 0 * LANE_BITS & LANE_MASK
        count_1d = w.counts[2]
        total_1d = w.total[2]
        highest_1d = w.highest[2]
        distinct_1d = w.lanes[2] >> 0 * LANE_BITS & LANE_MASK
        new_1d = w.lanes[2] >> 1 * LANE_BITS & LANE_MASK
        count_7d = w.counts[3]
        total_7d = w.total[3]
        highest_7d = w.highest[3]
        distinct_7d = w.lanes[3] >> 0 * LANE_BITS & LANE_MASK
        evening_7d = w.lanes[3] >> 2 * LANE_BITS & LANE_MASK
        search_7d = w.lanes[3] >> 3 * LANE_BITS & LANE_MASK
        mail_7d = w.lanes[3] >> 4 * LANE_BITS & LANE_MASK
        count_30d = w.counts[4]
        total_30d = w.total[4]
        highest_30d = w.highest[4]
        since_last = w.rest[SINCE_LAST]
        repeat = w.rest[REPEAT]
        decayed_count = w.rest[DECAYED_COUNT]
        median = w.rest[MEDIAN]
        robust_ratio = w.rest[RATIO]
        high_14d = w.rest[HIGH_14D]
        out[i, 0] = measure / UNIT  # dwell
        out[i, 1] = hour  # hour
        out[i, 2] = weekday >= 5  # weekend
        out[i, 3] = mode == 0  # from_feed
        out[i, 4] = mode == 1  # from_search
        out[i, 5] = mode == 2  # from_mail
        out[i, 6] = mode == 3  # from_ad
        out[i, 7] = measure > LIMIT * UNIT  # dwell_above_limit
        out[i, 8] = count_5m  # count_5m
        out[i, 9] = total_5m / UNIT  # sum_5m
        out[i, 10] = total_5m / UNIT / count_5m  # mean_5m
        out[i, 11] = highest_5m / UNIT  # max_5m
        out[i, 12] = ratio_to_others(count_5m, total_5m, measure)  # ratio_to_mean_5m
        out[i, 13] = count_1h  # count_1h
        out[i, 14] = total_1h / UNIT  # sum_1h
        out[i, 15] = total_1h / UNIT / count_1h  # mean_1h
        out[i, 16] = highest_1h / UNIT  # max_1h
        out[i, 17] = ratio_to_others(count_1h, total_1h, measure)  # ratio_to_mean_1h
        out[i, 18] = count_1d  # count_1d
        out[i, 19] = total_1d / UNIT  # sum_1d
        out[i, 20] = total_1d / UNIT / count_1d  # mean_1d
        out[i, 21] = highest_1d / UNIT  # max_1d
        out[i, 22] = ratio_to_others(count_1d, total_1d, measure)  # ratio_to_mean_1d
        out[i, 23] = count_7d  # count_7d
        out[i, 24] = total_7d / UNIT  # sum_7d
        out[i, 25] = total_7d / UNIT / count_7d  # mean_7d
        out[i, 26] = highest_7d / UNIT  # max_7d
        out[i, 27] = ratio_to_others(count_7d, total_7d, measure)  # ratio_to_mean_7d
        out[i, 28] = count_30d  # count_30d
        out[i, 29] = total_30d / UNIT  # sum_30d
        out[i, 30] = total_30d / UNIT / count_30d  # mean_30d
        out[i, 31] = highest_30d / UNIT  # max_30d
        out[i, 32] = ratio_to_others(count_30d, total_30d, measure)  # ratio_to_mean_30d
        out[i, 33] = since_last  # seconds_since_last
        out[i, 34] = repeat  # repeat_item
        out[i, 35] = distinct_1h  # items_1h
        out[i, 36] = distinct_1d  # items_1d
        out[i, 37] = distinct_7d  # items_7d
        out[i, 38] = new_1d  # new_items_1d
        out[i, 39] = share(evening_7d, count_7d)  # share_evening_7d
        out[i, 40] = share(search_7d, count_7d)  # share_search_7d
        out[i, 41] = share(mail_7d, count_7d)  # share_mail_7d
        out[i, 42] = decayed_count  # decayed_count
        out[i, 43] = measure / median if median > 0.0 else 1.0  # ratio_to_median
        out[i, 44] = robust_ratio  # ratio_to_robust_mean
        out[i, 45] = high_14d  # long_looks_14d


@compiled_cached
def read_rows(rows: Read, delay_ms: int, step_hours: int, out: NDArray[np.float32], t: Known) -> None:
    """Write the columns of each vector that are read from Feast. ``t``: room for what is known of one counterpart."""
    for i in range(rows.time.shape[0]):
        time = rows.time[i]
        profile, usual = rows.owner[i], rows.usual[i]
        km_from_home = distance_from_home(profile, rows.latitude[i], rows.longitude[i])
        usual_measure = profile[MEAN_MEASURE]
        category_measure = category_mean(profile, usual, rows.category[i])
        hour_share = share_around(profile, time)
        usual_counterpart = is_usual_counterpart(usual, rows.counterpart[i])
        horizon = (time - delay_ms) // HOUR_MS
        horizon -= horizon % step_hours
        read(rows.tiles, rows.begin[i], rows.end[i], horizon, t)
        measure = rows.measure[i]
        outcomes_1d = t.outcomes[0]
        positives_1d = t.positives[0]
        outcomes_3d = t.outcomes[1]
        positives_3d = t.positives[1]
        outcomes_14d = t.outcomes[2]
        positives_14d = t.positives[2]
        since_positive = t.rest[SINCE_POSITIVE]
        out[i, 46] = over(measure, usual_measure)  # ratio_to_usual_dwell
        out[i, 47] = over(measure, category_measure)  # ratio_to_category_dwell
        out[i, 48] = known(hour_share)  # usual_hour_share
        out[i, 49] = usual_counterpart  # usual_item
        out[i, 50] = outcomes_1d  # item_clicks_1d
        out[i, 51] = positives_1d  # item_bought_1d
        out[i, 52] = risk(outcomes_1d, positives_1d)  # bought_share_1d
        out[i, 53] = outcomes_3d  # item_clicks_3d
        out[i, 54] = positives_3d  # item_bought_3d
        out[i, 55] = risk(outcomes_3d, positives_3d)  # bought_share_3d
        out[i, 56] = outcomes_14d  # item_clicks_14d
        out[i, 57] = positives_14d  # item_bought_14d
        out[i, 58] = risk(outcomes_14d, positives_14d)  # bought_share_14d
        out[i, 59] = since_positive  # days_since_bought
