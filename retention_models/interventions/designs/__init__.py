"""Designs of tests, one file each; their analyses return effects.

- ``arm_differences``: ``differences``: arms by intention to treat
- ``lin``: Lin's adjustment for covariates
- ``from_counts``: arms from printed counts
- ``contract_arms``: survival curves of the arms since the assignment
- ``contract_rows``: rows on any engine, counted by arm, block, cluster, tenure and churn
- ``contract_cells``: an arm in a block: its curve, and the influence of customers on it
- ``contracts``: share retained, time retained, and their value
- ``encouragement``: the effect of an offer received, where only the offer was random
- ``staggered``: ``difference_in_differences``: units that got a programme one after the other
- ``roll_out``: its result, ``RollOut``; ``roll_out_tables``: effects by period and cohort
- ``roll_out_money``: gain, costs and cost per additional buyer of a roll-out
- ``roll_out_covariates``: what was known of its units before the first launch
- ``roll_out_launches``: when each unit got the programme; ``roll_out_panel``: its panel
- ``group_time``: effects of cohorts by period
- ``group_time_influence``: how much each unit moves them, and their covariance
- ``roll_out_averages``: averages of these with their laws; ``few_units``: what chance does with few units
- ``roll_out_checks``: whether a roll-out may decide
- ``trials``: ``target_trials``: those who joined, against others alike; ``trial_effects``: what it returns
- ``trial_comparison``: who is compared, by what, and the adjusted differences
- ``trial_log``: the logs behind it; ``trial_histories``: what was known of customers, and what followed
- ``trial_rows``: occasions to join, and the sample; ``trial_outcomes``: as it went, and without ever joining
- ``trial_checks``: what such a comparison rests on
- ``exposure``: ``treatment_effect``: an exposure at one date that nobody drew
- ``adjustment``: weights with outcome regression, and their errors; ``propensity``: the chance to choose
- ``covariate_numbers``: columns of numbers and words as numbers
- ``stepped_wedge``: stores that switch one after the other
"""
