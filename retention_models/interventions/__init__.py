"""What our actions changed: tests of interventions, each ending as one row of one table of evidence."""
