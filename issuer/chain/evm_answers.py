"""What EVM nodes answer: believed only where it has the right form, and fits what we keep."""

import re
from datetime import UTC, datetime
from typing import Final

import msgspec
from eth_utils.address import to_checksum_address

from issuer.chain.errors import ChainUnavailable
from issuer.chain.readers import Block, TokenTransfer

#: Blocks, nonces, gas and wei per gas are nowhere near this, and the columns that hold them, with
#: the margins that we add, go as far: no node makes a write fail by telling more.
NUMBER_MAX: Final = 2**62
#: Nor has a block so many logs.
LOG_INDEX_MAX: Final = 2**31 - 1
#: The end of the year 9999, with which Python's calendar ends.
SECONDS_MAX: Final = 253_402_300_799

_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]+")
_WORD: Final = re.compile(r"0x[0-9a-f]{64}")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_ADDRESS_WORD: Final = re.compile(r"0x0{24}[0-9a-f]{40}")


class Header(msgspec.Struct, rename="camel"):
    """What we ask of a block."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str
    base_fee_per_gas: str | None = None


class Log(msgspec.Struct, rename="camel"):
    """An event of a contract."""

    address: str
    topics: list[str]
    data: str
    block_number: str
    block_hash: str
    transaction_hash: str
    log_index: str
    removed: bool = False


class Sent(msgspec.Struct):
    """What we ask of a transaction."""

    hash: str
    sender: str = msgspec.field(name="from")


class Outcome(msgspec.Struct, rename="camel"):
    """What we ask of a receipt."""

    transaction_hash: str
    block_number: str
    block_hash: str
    status: str


def number_of(text: str, *, most: int = NUMBER_MAX) -> int:
    """Return the number that `text` is in hex."""
    number = int(text, 16) if _NUMBER.fullmatch(text) else None
    if number is None or number > most:
        raise ChainUnavailable(f"The node answered {text[:80]!r} for a number.")
    return number


def word_of(text: str) -> int:
    """Return the uint256 that `text` is: 32 bytes in hex, no more and no less."""
    if not _WORD.fullmatch(text):
        raise ChainUnavailable(f"The node answered {text[:80]!r} for a word.")
    return int(text, 16)


def hash_of(text: str) -> str:
    """Return `text` if it is 32 bytes in hex."""
    if not _WORD.fullmatch(text):
        raise ChainUnavailable(f"The node answered {text[:80]!r} for a hash.")
    return text


def address_of(text: str) -> str:
    """Return the address that `text` is, as it is or as a word, in EIP-55 form."""
    if not _ADDRESS.fullmatch(text) and not _ADDRESS_WORD.fullmatch(text):
        raise ChainUnavailable(f"The node answered {text[:80]!r} for an address.")
    return to_checksum_address(f"0x{text[-40:]}")


def block_of(header: Header) -> Block:
    """Return the block that `header` heads."""
    return Block(
        number=number_of(header.number),
        hash=hash_of(header.hash),
        parent_hash=hash_of(header.parent_hash),
        mined_at=datetime.fromtimestamp(number_of(header.timestamp, most=SECONDS_MAX), UTC),
    )


def transfer_of(log: Log, block: Block) -> TokenTransfer:
    """Return what an ERC-20 Transfer in `block` says."""
    if len(log.topics) != 3:
        raise ChainUnavailable(f"A Transfer in {log.transaction_hash} is not of ERC-20's form.")
    return TokenTransfer(
        sender=address_of(log.topics[1]),
        recipient=address_of(log.topics[2]),
        base_units=word_of(log.data),
        block=block,
        transaction_hash=hash_of(log.transaction_hash),
        log_index=number_of(log.log_index, most=LOG_INDEX_MAX),
    )
