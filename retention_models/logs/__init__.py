"""What happened: logs of transactions, reduced where they live to what the models need."""
