"""Written by ``make features`` from the domain's features; edit those. The loops behind ``update`` and
``fill``."""

from __future__ import annotations

from math import isnan

import numpy as np
from numpy.typing import NDArray

from features.history.arrival import Rows
from features.base.compiled import compiled_cached
from features.catalogue.formulas import UNIT, deviation, known, over, ratio_to_others, risk, share, zscore
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
FINGERPRINT = "96dfc9312d69d24a"


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
        take_in(h, slots[i], rows, i, (4 if time % DAY_MS < 6 * HOUR_MS else 0) | (8 if mode == 4 else 0) | (16 if mode == 1 else 0), w)
        measure = rows.measure[i]
        hour = (time % DAY_MS) / HOUR_MS
        weekday = (time // DAY_MS + 3) % 7
        LIMIT = limit
        mode = rows.mode[i]
        flag = rows.flag[i]
        located = not (isnan(rows.latitude[i]) or isnan(rows.longitude[i]))
        count_10m = w.counts[0]
        total_10m = w.total[0]
        highest_10m = w.highest[0]
        spread_10m = w.spread[0]
        others_spread_10m = w.others[0]
        count_1h = w.counts[1]
        total_1h = w.total[1]
        highest_1h = w.highest[1]
        spread_1h = w.spread[1]
        others_spread_1h = w.others[1]
        count_6h = w.counts[2]
        total_6h = w.total[2]
        highest_6h = w.highest[2]
        spread_6h = w.spread[2]
        others_spread_6h = w.others[2]
        count_1d = w.counts[3]
        total_1d = w.total[3]
        highest_1d = w.highest[3]
        spread_1d = w.spread[3]
        others_spread_1d = w.others[3]
        distinct_1d = w.lanes[3] >> 0 * LANE_BITS & LANE_MASK
        new_1d = w.lanes[3] >> 1 * LANE_BITS & LANE_MASK
        count_7d = w.counts[4]
        total_7d = w.total[4]
        highest_7d = w.highest[4]
        spread_7d = w.spread[4]
        others_spread_7d = w.others[4]
        distinct_7d = w.lanes[4] >> 0 * LANE_BITS & LANE_MASK
        new_7d = w.lanes[4] >> 1 * LANE_BITS & LANE_MASK
        count_30d = w.counts[5]
        total_30d = w.total[5]
        highest_30d = w.highest[5]
        spread_30d = w.spread[5]
        others_spread_30d = w.others[5]
        distinct_30d = w.lanes[5] >> 0 * LANE_BITS & LANE_MASK
        new_30d = w.lanes[5] >> 1 * LANE_BITS & LANE_MASK
        night_30d = w.lanes[5] >> 2 * LANE_BITS & LANE_MASK
        online_30d = w.lanes[5] >> 3 * LANE_BITS & LANE_MASK
        contactless_30d = w.lanes[5] >> 4 * LANE_BITS & LANE_MASK
        count_90d = w.counts[6]
        total_90d = w.total[6]
        highest_90d = w.highest[6]
        spread_90d = w.spread[6]
        others_spread_90d = w.others[6]
        distinct_90d = w.lanes[6] >> 0 * LANE_BITS & LANE_MASK
        refund_count_1d = w.apart[0, 0, 3]
        refund_count_30d = w.apart[0, 0, 5]
        refund_total_1d = w.apart[1, 0, 3]
        refund_total_30d = w.apart[1, 0, 5]
        reversal_count_1d = w.apart[0, 1, 3]
        reversal_count_30d = w.apart[0, 1, 5]
        reversal_total_1d = w.apart[1, 1, 3]
        reversal_total_30d = w.apart[1, 1, 5]
        declined_count_1h = w.apart[0, 2, 1]
        declined_count_1d = w.apart[0, 2, 3]
        since_last = w.rest[SINCE_LAST]
        km_from_last = w.rest[KM]
        speed = w.rest[SPEED]
        repeat = w.rest[REPEAT]
        decayed_count = w.rest[DECAYED_COUNT]
        decayed_total = w.rest[DECAYED_TOTAL]
        median = w.rest[MEDIAN]
        robust_ratio = w.rest[RATIO]
        highest_ratio_3d = w.rest[RATIO_3D]
        highest_ratio_14d = w.rest[RATIO_14D]
        high_14d = w.rest[HIGH_14D]
        since_high = w.rest[SINCE_HIGH]
        out[i, 0] = measure / UNIT  # amount
        out[i, 1] = hour  # hour
        out[i, 2] = weekday >= 5  # weekend
        out[i, 3] = hour < 6.0  # night
        out[i, 4] = mode == 0  # used_chip
        out[i, 5] = mode == 1  # entry_contactless
        out[i, 6] = mode == 2  # entry_swipe
        out[i, 7] = mode == 3  # entry_manual
        out[i, 8] = mode == 4  # online_order
        out[i, 9] = flag  # used_pin_number
        out[i, 10] = located  # has_location
        out[i, 11] = measure > LIMIT * UNIT  # amount_above_limit
        out[i, 12] = count_10m  # count_10m
        out[i, 13] = total_10m / UNIT  # sum_10m
        out[i, 14] = total_10m / UNIT / count_10m  # mean_10m
        out[i, 15] = highest_10m / UNIT  # max_10m
        out[i, 16] = deviation(count_10m, spread_10m)  # std_10m
        out[i, 17] = ratio_to_others(count_10m, total_10m, measure)  # ratio_to_mean_10m
        out[i, 18] = zscore(count_10m, total_10m, others_spread_10m, measure)  # zscore_10m
        out[i, 19] = count_1h  # count_1h
        out[i, 20] = total_1h / UNIT  # sum_1h
        out[i, 21] = total_1h / UNIT / count_1h  # mean_1h
        out[i, 22] = highest_1h / UNIT  # max_1h
        out[i, 23] = deviation(count_1h, spread_1h)  # std_1h
        out[i, 24] = ratio_to_others(count_1h, total_1h, measure)  # ratio_to_mean_1h
        out[i, 25] = zscore(count_1h, total_1h, others_spread_1h, measure)  # zscore_1h
        out[i, 26] = count_6h  # count_6h
        out[i, 27] = total_6h / UNIT  # sum_6h
        out[i, 28] = total_6h / UNIT / count_6h  # mean_6h
        out[i, 29] = highest_6h / UNIT  # max_6h
        out[i, 30] = deviation(count_6h, spread_6h)  # std_6h
        out[i, 31] = ratio_to_others(count_6h, total_6h, measure)  # ratio_to_mean_6h
        out[i, 32] = zscore(count_6h, total_6h, others_spread_6h, measure)  # zscore_6h
        out[i, 33] = count_1d  # count_1d
        out[i, 34] = total_1d / UNIT  # sum_1d
        out[i, 35] = total_1d / UNIT / count_1d  # mean_1d
        out[i, 36] = highest_1d / UNIT  # max_1d
        out[i, 37] = deviation(count_1d, spread_1d)  # std_1d
        out[i, 38] = ratio_to_others(count_1d, total_1d, measure)  # ratio_to_mean_1d
        out[i, 39] = zscore(count_1d, total_1d, others_spread_1d, measure)  # zscore_1d
        out[i, 40] = count_7d  # count_7d
        out[i, 41] = total_7d / UNIT  # sum_7d
        out[i, 42] = total_7d / UNIT / count_7d  # mean_7d
        out[i, 43] = highest_7d / UNIT  # max_7d
        out[i, 44] = deviation(count_7d, spread_7d)  # std_7d
        out[i, 45] = ratio_to_others(count_7d, total_7d, measure)  # ratio_to_mean_7d
        out[i, 46] = zscore(count_7d, total_7d, others_spread_7d, measure)  # zscore_7d
        out[i, 47] = count_30d  # count_30d
        out[i, 48] = total_30d / UNIT  # sum_30d
        out[i, 49] = total_30d / UNIT / count_30d  # mean_30d
        out[i, 50] = highest_30d / UNIT  # max_30d
        out[i, 51] = deviation(count_30d, spread_30d)  # std_30d
        out[i, 52] = ratio_to_others(count_30d, total_30d, measure)  # ratio_to_mean_30d
        out[i, 53] = zscore(count_30d, total_30d, others_spread_30d, measure)  # zscore_30d
        out[i, 54] = count_90d  # count_90d
        out[i, 55] = total_90d / UNIT  # sum_90d
        out[i, 56] = total_90d / UNIT / count_90d  # mean_90d
        out[i, 57] = highest_90d / UNIT  # max_90d
        out[i, 58] = deviation(count_90d, spread_90d)  # std_90d
        out[i, 59] = ratio_to_others(count_90d, total_90d, measure)  # ratio_to_mean_90d
        out[i, 60] = zscore(count_90d, total_90d, others_spread_90d, measure)  # zscore_90d
        out[i, 61] = since_last  # seconds_since_last
        out[i, 62] = km_from_last  # distance_from_last_transaction
        out[i, 63] = speed  # speed_kmh
        out[i, 64] = repeat  # repeat_retailer
        out[i, 65] = distinct_1d  # terminals_1d
        out[i, 66] = distinct_7d  # terminals_7d
        out[i, 67] = distinct_30d  # terminals_30d
        out[i, 68] = distinct_90d  # terminals_90d
        out[i, 69] = new_1d  # new_terminals_1d
        out[i, 70] = new_7d  # new_terminals_7d
        out[i, 71] = new_30d  # new_terminals_30d
        out[i, 72] = share(night_30d, count_30d)  # share_night_30d
        out[i, 73] = share(online_30d, count_30d)  # share_online_30d
        out[i, 74] = share(contactless_30d, count_30d)  # share_contactless_30d
        out[i, 75] = decayed_count  # decayed_count
        out[i, 76] = decayed_total / UNIT  # decayed_sum
        out[i, 77] = measure / median if median > 0.0 else 1.0  # ratio_to_median_purchase_price
        out[i, 78] = robust_ratio  # ratio_to_robust_mean
        out[i, 79] = highest_ratio_3d  # max_robust_ratio_3d
        out[i, 80] = highest_ratio_14d  # max_robust_ratio_14d
        out[i, 81] = high_14d  # high_amounts_14d
        out[i, 82] = since_high  # days_since_high
        out[i, 83] = declined_count_1h  # declined_1h
        out[i, 84] = declined_count_1d  # declined_1d
        out[i, 85] = share(declined_count_1d, declined_count_1d + count_1d)  # declined_share_1d
        out[i, 86] = refund_count_1d + reversal_count_1d  # refunds_1d
        out[i, 87] = (refund_total_1d + reversal_total_1d) / UNIT  # refund_sum_1d
        out[i, 88] = refund_count_30d + reversal_count_30d  # refunds_30d
        out[i, 89] = (refund_total_30d + reversal_total_30d) / UNIT  # refund_sum_30d


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
        outcomes_7d = t.outcomes[1]
        positives_7d = t.positives[1]
        unexplained_7d = t.unexplained[1]
        outcomes_28d = t.outcomes[2]
        positives_28d = t.positives[2]
        unexplained_28d = t.unexplained[2]
        outcomes_30d = t.outcomes[3]
        positives_30d = t.positives[3]
        last_label = t.rest[LAST_LABEL]
        since_positive = t.rest[SINCE_POSITIVE]
        since_negative = t.rest[SINCE_NEGATIVE]
        run = t.rest[RUN]
        run_days = t.rest[RUN_DAYS]
        out[i, 90] = known(km_from_home)  # distance_from_home
        out[i, 91] = over(measure, usual_measure)  # ratio_to_usual_amount
        out[i, 92] = over(measure, category_measure)  # ratio_to_category_amount
        out[i, 93] = known(hour_share)  # usual_hour_share
        out[i, 94] = usual_counterpart  # usual_terminal
        out[i, 95] = outcomes_1d  # terminal_count_1d
        out[i, 96] = positives_1d  # terminal_frauds_1d
        out[i, 97] = risk(outcomes_1d, positives_1d)  # terminal_risk_1d
        out[i, 98] = outcomes_7d  # terminal_count_7d
        out[i, 99] = positives_7d  # terminal_frauds_7d
        out[i, 100] = risk(outcomes_7d, positives_7d)  # terminal_risk_7d
        out[i, 101] = outcomes_28d  # terminal_count_28d
        out[i, 102] = positives_28d  # terminal_frauds_28d
        out[i, 103] = risk(outcomes_28d, positives_28d)  # terminal_risk_28d
        out[i, 104] = outcomes_30d  # terminal_count_30d
        out[i, 105] = positives_30d  # terminal_frauds_30d
        out[i, 106] = risk(outcomes_30d, positives_30d)  # terminal_risk_30d
        out[i, 107] = last_label  # terminal_last_label
        out[i, 108] = since_positive  # terminal_days_since_fraud
        out[i, 109] = since_negative  # terminal_days_since_genuine
        out[i, 110] = run  # terminal_fraud_run
        out[i, 111] = run_days  # terminal_fraud_run_days
        out[i, 112] = unexplained_7d  # terminal_unexplained_7d
        out[i, 113] = unexplained_28d  # terminal_unexplained_28d
