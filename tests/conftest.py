"""The CDNOW sample, cut at the published day, and two fits to it: what several rooms are tested on."""

from zlib import crc32

import pytest

import retention_models as rm

# Tests that ask the same of many inputs: the quick suite asks one in so many of each, the slow one all.
MANY = {
    "test_days_in_text_are_the_same_days_in_every_form_and_source": 4,
    "test_amounts_in_text_are_the_same_amounts_in_every_form_and_source": 4,
    "test_every_source_is_read_in_the_same_forms": 2,
    "test_contracts_with_days_as_numbers_are_read": 2,
    "test_losses_that_come_all_at_once_are_a_discrete_weibull": 3,
    "test_every_horizon_is_forecast_within_seconds": 2,
    "test_a_summary_is_that_of_the_plain_file": 2,
    "test_date_format_says_what_would_be_found": 2,
    "test_the_type_of_a_column_of_numbers_does_not_matter": 2,
    "test_days_in_columns_of_numbers_are_the_same_days": 2,
    "test_separators_and_encodings_of_a_file_do_not_matter": 2,
    "test_a_fit_by_the_command_line_is_that_of_the_plain_file": 3,
    "test_outcomes_are_the_same_in_every_form": 4,
    "test_contracts_are_the_same_in_every_form": 4,
    "test_y_and_n_are_yes_and_no_in_an_experiment": 2,
    "test_y_and_n_are_yes_and_no_in_a_snapshot": 2,
    "test_days_of_no_one_form_are_refused_with_a_value_and_the_option": 2,
    "test_an_export_is_read_as_it_is": 3,
    "test_the_plain_writing_of_an_export_is_the_same_log": 2,
    "test_the_share_that_cannot_be_read_decides": 2,
    "test_what_is_no_end_is_none_in_every_source": 2,
    "test_words_for_churned_are_read_and_stated": 2,
    "test_log_likelihood_is_exact_where_estimates_run_off": 2,
    "test_no_purchase_is_the_ratio_of_two_integrals": 2,
    "test_present_value_agrees_with_mpmath": 2,
    "test_all_engines_give_the_same_spells_and_table": 2,
    "test_whatever_the_gain_nothing_is_recommended_that_chance_did_not_assign": 2,
    "test_at_a_limit_the_coefficients_stay_determined": 3,
    "test_simulated_future_is_as_predicted_from_the_past": 3,
    "test_parameters_of_shape_n_give_each_customer_their_own": 2,
    "test_the_table_counts_what_a_walk_through_the_renewals_counts": 2,
    "test_a_plot_is_the_same_picture_every_time": 2,
    "test_a_damaged_file_gives_a_fit_or_a_sentence": 3,
    "test_the_command_line_takes_what_the_reader_takes": 2,
    "test_every_engine_counts_the_same": 3,
    "test_the_command_line_recommends_nothing_unless_it_is_told_that_chance_decided": 2,
    "test_a_long_silence_is_the_sum_over_all_times_to_have_left": 2,
    "test_contracts_are_read_in_any_layout": 4,
    "test_ids_that_are_names_stay_names": 2,
    "test_blanks_around_dates_and_amounts_do_not_matter": 2,
    "test_every_door_reads_every_source_like_a_plain_frame": 4,
    "test_every_engine_gives_what_pandas_gives": 2,
    "test_a_return_finds_the_order_or_article_that_it_belongs_to": 2,
    "test_what_is_left_is_what_a_loop_over_the_rows_leaves": 2,
    "test_a_return_cancels_the_latest_purchases_up_to_its_size": 2,
    "test_what_cannot_be_reported_on_is_one_sentence": 2,
    "test_the_last_day_is_that_of_a_moment": 3,
    "test_no_message_is_a_template": 2,
    "test_a_baseline_that_separates_is_named_however_large": 2,
    "test_for_one_effort_the_costs_of_not_knowing_have_closed_forms": 2,
    "test_parameters_of_shape_draws_by_1_give_each_draw_its_row": 2,
    "test_second_spells_tell_sorting_from_habit": 2,
    "test_losses_at_renewals_of_the_calendar_are_dated_right_although_months_differ_in_length": 2,
}
STATISTICAL = {
    "test_events_and_a_season_explain_the_errors_that_they_made",
    "test_forecasts_of_contracts_that_end_on_any_day_come_true",
    "test_status_is_the_mean_probability_and_its_interval_that_of_parameter_draws",
    "test_what_halves_do_not_decide_is_simulated",
    "test_a_file_and_every_frame_tell_the_same",
    "test_contracts_that_end_on_any_day_are_told",
    "test_groups_with_models_of_their_own_are_added_up",
    "test_the_right_model_comes_true_and_equal_customers_do_not",
}


def pytest_collection_modifyitems(items):
    for item in items:
        name = getattr(item, "originalname", "")
        if name in STATISTICAL or crc32(item.name.encode()) % MANY.get(name, 1):
            item.add_marker(pytest.mark.slow)


CUT = "1997-09-30"


@pytest.fixture(scope="session")
def log():
    return rm.read_transactions(rm.datasets.load_cdnow())


@pytest.fixture(scope="session")
def customers(log):
    return rm.summarize(log, calibration_end=CUT)


@pytest.fixture(scope="session")
def fits(customers):
    return {"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}


@pytest.fixture(scope="session")
def pareto(fits):
    return fits["Pareto/NBD"]
