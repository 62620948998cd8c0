"""The formats that Django looks up by these names."""

from typing import Final

DATE_FORMAT: Final = "Y-m-d"
TIME_FORMAT: Final = r"H:i:s\Z"
DATETIME_FORMAT: Final = r"Y-m-d H:i:s\Z"
SHORT_DATE_FORMAT: Final = DATE_FORMAT
SHORT_DATETIME_FORMAT: Final = DATETIME_FORMAT
MONTH_DAY_FORMAT: Final = "m-d"
YEAR_MONTH_FORMAT: Final = "Y-m"
