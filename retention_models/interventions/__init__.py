"""What our actions changed: tests of interventions, each ending as one row of one table of evidence.

=====================  ======================================================================
``effect``             the row: what an intervention changed, in customers and in money
``evidence``           the table: what can be compared, what is ranked, what to decide
``multiplicity``       corrections for many looks, and shrinkage of noisy effects
``judgement``          no worse than a margin; what would overturn an effect (E-values)
``experiment``         a randomised test, from rows, sums, counts or means
``outcome``            what is measured in it, and the row that a comparison becomes
``comparisons``        differences, lifts, pairs, factorial contrasts, universal hold-outs
``lin``                adjustment by a regression in each arm, with HC2 errors
``encouragement``      the effect on those who received because they were assigned
``stepped_wedge``      stores or teams that switch one after the other
``sequential``         looking before the end
``planning``           sample size, power, detectable effect
``shop_outcomes``      what customers did in a shop after their assignment
``contract_outcomes``  how many stayed, how long, and what that is worth
``money``, ``payback`` costs and value; where the money went; cost per customer kept
``counts``             tables of counts, as papers print them
``campaign``           a test read from a file, with its checks; ``campaign_views`` and ``campaign_looks`` show it
``roles``, ``prices``  which column is what, and what contacts and purchases cost and earn
``verdict``            which arm to send next
``contract_spells``    contracts as a test sees them, from the assignment on
``model_check``        a purchase model of each arm held against the arms
``cells``, ``contrasts``, ``rows``, ``integrity``, ``ratio_interval``, ``share_interval``, ``shop_ids``: what the others
are made of
=====================  ======================================================================
"""
