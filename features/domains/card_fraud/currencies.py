"""Currencies by their codes (ISO 4217), with the decimal places of their minor units."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: In use today.
_IN_USE = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP
LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB
PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB
TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER
ZAR ZMW ZWG
"""
#: Withdrawn since 2002: recorded payments may still be in them.
_WITHDRAWN = """
ANG AZM BYR CSD CUC CYP EEK GHC HRK LTL LVL MGF MRO MTL MZM ROL SDD SIT SKK SLL SRG STD TMM TRL VEB VEF ZMK
ZWL
"""
#: All others have two.
_OTHER_PLACES = {
    0: "BIF BYR CLP DJF GNF ISK JPY KMF KRW MGF PYG RWF TRL UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_PLACES = {code: places for places, codes in _OTHER_PLACES.items() for code in codes.split()}

#: Decimal places by code: 2 of EUR, 0 of JPY, 3 of KWD.
PLACES: Mapping[str, int] = MappingProxyType({code: _PLACES.get(code, 2) for code in (_IN_USE + _WITHDRAWN).split()})
#: What amounts are counted in, unless ``units.reference`` says otherwise.
REFERENCE = "EUR"
