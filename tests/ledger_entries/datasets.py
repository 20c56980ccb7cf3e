"""What the data sets hold."""

import retention_models as rm
from ledger_entries import entry
from ledger_entries.inputs import cdnow

entry("datasets.cdnow")(cdnow)
entry("datasets.cdnow_full")(lambda: rm.datasets.load_cdnow(full=True))
entry("datasets.donations")(rm.datasets.load_donations)
entry("datasets.experiments")(rm.datasets.load_published_experiments)
entry("datasets.retention")(rm.datasets.load_published_retention)
