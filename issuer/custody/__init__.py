"""The custody accounts, and what custodians say they hold."""
