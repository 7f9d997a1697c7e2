"""The form of C-MAPSS data: columns, subsets, operating conditions, label cap, files and their checksums."""

from collections.abc import Mapping
from types import MappingProxyType

RUL_CAP = 125.0
"""Labels are capped here, in cycles, for training and for evaluation; deliberately no setting (amnl: evaluation
under a searched cap "found" 10.63 where the standard cap gives 13.70)."""

SETTINGS = ("setting_1", "setting_2", "setting_3")
"""Altitude (thousand feet), Mach number, throttle resolver angle."""

COLUMNS = ("unit", "cycle", *SETTINGS, *(f"sensor_{number}" for number in range(1, 22)))

SENSORS = tuple(f"sensor_{number}" for number in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21))
"""The 14 that wear moves; the other 7 say nothing within an operating condition (amnl)."""

FEATURES = (*SETTINGS, *SENSORS)
"""What a network sees of a row: 17 values."""

SUBSETS = ("FD001", "FD002", "FD003", "FD004")

CONDITIONS: Mapping[str, int] = MappingProxyType({"FD001": 1, "FD002": 6, "FD003": 1, "FD004": 6, "SIM1": 1, "SIM6": 6})
"""Operating conditions where they are known (NASA readme)."""

CHECKSUMS: Mapping[str, str] = MappingProxyType(
    {
        "train_FD001.txt": "963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8",
        "train_FD002.txt": "dac6c4dbc4e7c1bdeb5747da3d313d05c395bb99801b44a002b26a2ba13d788f",
        "train_FD003.txt": "2abbe9968cc5e8eb091980f51b20f62bb4127336d3482cb52071d53bf23329e2",
        "train_FD004.txt": "27ef6160b6a1dcb2613a88de9c239f763b223f02cdc41dc5cdedc5dc189b6218",
        "test_FD001.txt": "3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851",
        "test_FD002.txt": "de7b5bf7e998a985c378488480528b7c02cff1406a46740def362dda8d9b4e02",
        "test_FD003.txt": "299babd63c8d987cef079c4a425429f33b3a34797d803bbe2ad48c29dbd0d790",
        "test_FD004.txt": "1dc675fff0624bac10786927c6715b37d1297657137400d2b1a3138d777a3ba5",
        "RUL_FD001.txt": "a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca",
        "RUL_FD002.txt": "c851dd96a6ea6998d3c4a8f834d3c8013aa90e93a6ed950dc826ad0655b2906b",
        "RUL_FD003.txt": "df1e0566306b174a2de41c67a3e7a51877889598b78643fc3e5685259091b7cb",
        "RUL_FD004.txt": "196b836b85a95ac7fdbbf29c5fdf1657382eafa445644d114ffaaf50dc2975e1",
    }
)
"""SHA-256 of NASA's twelve data files, uncompressed."""


def file_names(name: str) -> tuple[str, str, str]:
    """Training, test and RUL file of a data set."""
    return f"train_{name}.txt", f"test_{name}.txt", f"RUL_{name}.txt"
