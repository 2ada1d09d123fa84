"""Distance on the globe: one formula, compiled into the transform."""

from __future__ import annotations

import math

from features.base.compiled import compiled

#: Mean radius of the Earth (IUGG), km.
EARTH_KM = 6371.0088


@compiled
def haversine_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Return the great-circle distance in km between two places in degrees: ``2 R asin(sqrt(h))`` with

    ``h = sin²(Δlat/2) + cos(lat1) cos(lat2) sin²(Δlon/2)``. NaN in, NaN out.
    """
    half_lat = math.sin(math.radians(lat2 - lat1) / 2.0)
    half_lon = math.sin(math.radians(lon2 - lon1) / 2.0)
    h = half_lat * half_lat + math.cos(math.radians(lat1)) * math.cos(math.radians(lat2)) * half_lon * half_lon
    # Rounding at the antipode would take asin out of its domain.
    return 2.0 * EARTH_KM * math.asin(math.sqrt(min(h, 1.0)))
