"""Facts that other parties may want, recorded in the transaction that makes them true."""
