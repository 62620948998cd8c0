"""What chains say, and what we say to them."""

from issuer.chain.models._acts import (
    ContractAct,
    ContractActTransition,
    ContractCall,
)
from issuer.chain.models._intents import (
    IntentTransition,
    SignerAccount,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.models._readings import (
    ChainEvent,
    IncomingTransfer,
    NetworkTrouble,
    ScanCursor,
    SupplySnapshot,
)

__all__ = [
    "ChainEvent",
    "ContractAct",
    "ContractActTransition",
    "ContractCall",
    "IncomingTransfer",
    "IntentTransition",
    "NetworkTrouble",
    "ScanCursor",
    "SignerAccount",
    "SupplySnapshot",
    "TransactionAttempt",
    "TransactionIntent",
]
