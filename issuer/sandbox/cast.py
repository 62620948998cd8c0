"""Who plays in the demo world. Every name, key and password here is public and guards nothing."""

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from eth_utils.crypto import keccak

from issuer.people.roles import Role


@dataclass(frozen=True)
class Company:
    """A legal entity of the demo world; the LEI has right check digits and is nobody's."""

    name: str
    lei: str
    jurisdiction: str


@dataclass(frozen=True)
class Member:
    """One of the staff, with a login that only the demo world has."""

    name: str
    username: str
    roles: tuple[Role, ...]

    @property
    def title(self) -> str:
        """The roles in words."""
        return ", ".join(role.label.lower() for role in self.roles).capitalize()

    @property
    def password(self) -> str:
        """The password, which anybody may know."""
        return f"sandbox-{self.username}-login"


@dataclass(frozen=True)
class Product:
    """A token of the demo world, its share, and the share's real identifiers."""

    symbol: str
    name: str
    isin: str
    share_isin: str
    cusip: str
    figi: str
    ticker: str
    share_name: str
    account: str


SPV: Final = Company("Glass Ledger Assets (JE) Limited", "999900SPV00000000015", "JE")
ARRANGER: Final = Company("Glass Ledger AG", "999900ARRANGER000064", "CH")
SECURITY_AGENT: Final = Company("Quayside Trustees Limited", "999900AGENT000000092", "GB")
CUSTODIAN: Final = Company("Harbor Custody & Clearing LLC", "999900CUSTODIAN00029", "US")
PARTNER: Final = Company("Meridian Exchange Ltd", "999900EXCHANGE000002", "IE")
LAPSED: Final = Company("Lapsed Markets BV", "999900LAPSED00000026", "NL")

ADMINISTRATOR: Final = Member("Ada Admin", "ada", (Role.ADMINISTRATOR,))
#: Olga may approve too, so that it is her person, not her role, that cannot confirm what she did.
OFFICER: Final = Member("Olga Okoye", "olga", (Role.OPERATIONS_OFFICER, Role.APPROVER))
APPROVER: Final = Member("Amir Aziz", "amir", (Role.APPROVER,))
COMPLIANCE: Final = Member("Chen Li", "chen", (Role.COMPLIANCE_OFFICER,))
AUDITOR: Final = Member("Anna Audit", "anna", (Role.AUDITOR,))
STAFF: Final = (OFFICER, APPROVER, COMPLIANCE, AUDITOR, ADMINISTRATOR)

PRODUCTS: Final = (
    Product(
        "AAPLx",
        "Apple tracker",
        "JE00DAAPLX01",
        "US0378331005",
        "037833100",
        "BBG000B9XRY4",
        "AAPL",
        "Apple Inc.",
        "HC-AAPLX-01",
    ),
    Product(
        "TSLAx",
        "Tesla tracker",
        "JE00DTSLAX07",
        "US88160R1014",
        "88160R101",
        "BBG000N9MNX3",
        "TSLA",
        "Tesla, Inc.",
        "HC-TSLAX-01",
    ),
    Product(
        "NVDAx",
        "Nvidia tracker",
        "JE00DNVDAX08",
        "US67066G1040",
        "67066G104",
        "BBG000BBJQV0",
        "NVDA",
        "NVIDIA Corporation",
        "HC-NVDAX-01",
    ),
)

PROGRAM_CODE: Final = "glass"
CUSTODIAN_CODE: Final = "harbor"
PARTNER_CODE: Final = "meridian"
LAPSED_CODE: Final = "lapsed"


#: What the thief mints, and where to.
STOLEN: Final = "AAPLx"
THIEF_WALLET: Final = "0x000000000000000000000000000000000000dEaD"


def product(symbol: str) -> Product:
    """Return the product of that symbol."""
    return next(product for product in PRODUCTS if product.symbol == symbol)


def wallet_key(code: str) -> bytes:
    """Return the private key of a participant's wallet."""
    return keccak(text=f"the demo wallet of {code}")


def partner_key(code: str = PARTNER_CODE) -> str:
    """Return the API key that was shown to a participant once, as it kept it."""
    return (settings.DATA_DIR / "sandbox" / f"{code}.key").read_text(encoding="ascii")


def keep_partner_key(code: str, key: str) -> None:
    """Keep an API key as the participant would; only its owner can read the file."""
    path = settings.DATA_DIR / "sandbox" / f"{code}.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(key, encoding="ascii")
