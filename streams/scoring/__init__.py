"""The scorer: transactions in; scores, alerts and dead letters out."""
