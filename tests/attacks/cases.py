"""The 48 cases: what is attacked, what must come of it, and which other tests try it as well.

``elsewhere`` names tests as ``file::name`` below ``tests/``; a test holds that each is there. What
``open`` says is not tried, or not refused, and why.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CASES", "Case"]


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Args:
        title: what is attacked.
        expected: what must come of it.
        elsewhere: other tests that try it, or its wider forms.
        open: what is not covered.
    """

    title: str
    expected: str
    elsewhere: tuple[str, ...] = ()
    open: str = ""


_BUNDLES = "fault/test_bundle_attacks.py::"
_STANDALONE = "unit/attestations/test_standalone.py::"
_NOTE = "unit/replay/tree/test_note.py::"
_KEYS = "unit/attestations/keys/test_trust_and_changes.py::"
_CHECKING = "unit/attestations/checkpoints/test_checking.py::"
_PUBLIC = "unit/attestations/keyless/test_public_bundles.py::"
_KEYLESS = "unit/attestations/keyless/test_refusals.py::"
_ADMISSION = "cli/test_admission.py::"
_LOG = "fault/test_log_faults.py::"

CASES: dict[int, Case] = {
    1: Case("names that leave the directory or that a system takes otherwise", "BundlePathError",
        (_BUNDLES + "test_a_name_that_is_none_of_the_format_is_refused_and_nothing_is_written",)),
    2: Case("links, devices, pipes and directories", "BundleError",
        (_BUNDLES + "test_a_fifo_or_directory_in_place_of_the_file_is_refused_without_waiting",)),
    3: Case("two members of one name", "BundleError"),
    4: Case("names that are equal to some system", "BundlePathError, or no ASCII"),
    5: Case("bombs, and too many entries", "BundleError, in bounded memory",
        (_BUNDLES + "test_a_member_that_lies_about_its_size_is_stopped_at_the_size_it_told",
         _BUNDLES + "test_too_many_members_are_refused_before_they_are_read",
         "property/test_bundle_reader.py::test_a_stream_that_lies_about_its_length_is_stopped_there",
        )),
    6: Case("a structure that lies about itself", "BundleError",
        (_BUNDLES + "test_overlapping_members_are_refused",
         _BUNDLES + "test_wrong_crc_and_bytes_behind_the_stream_are_refused")),
    7: Case("more than one file in the file", "BundleError",
        (_BUNDLES + "test_a_zip_comment_and_an_inserted_gap_are_refused",)),
    8: Case("members that the manifest does not know, or knows otherwise", "BundleError",
        (_BUNDLES + "test_a_gap_or_overlap_in_the_ranges_is_refused",)),
    9: Case("a manifest that lists itself or what vouches for it", "BundleError"),
    10: Case("two files with exchanged contents", "BundleError",
        (_BUNDLES + "test_two_members_with_exchanged_contents_are_refused",)),
    11: Case("no signature where one is demanded", "refused, never a warning"),
    12: Case("an envelope of another type", "EnvelopeError"),
    13: Case("a statement of another predicate or build type", "verdict failed, deny",
        (("unit/attestations/statements/test_statements.py"
         "::test_a_predicate_about_another_checkpoint_or_several_is_refused"),)),
    14: Case("a subject that only looks like ours", "verdict failed",
        (("unit/attestations/statements/test_statements.py"
         "::test_what_is_no_statement_is_refused"),)),
    15: Case("a good key that may not sign this", "deny",
        (("unit/attestations/keys/test_keys.py"
         "::test_neither_key_signs_what_the_other_is_for"),)),
    16: Case("one key counted twice", "deny",
        ("unit/attestations/statements/test_envelope.py::test_one_key_twice_is_one_key",)),
    17: Case("key ids of others, and none", "verdict failed; without an id the keys are tried",
        (("unit/attestations/statements/test_envelope.py"
         "::test_a_key_id_proves_nothing_and_hides_nothing"),)),
    18: Case("the bytes of one kind of key for another", "KeyFormError",
        ("unit/attestations/keys/test_keys.py::test_keys_of_other_algorithms_are_refused",
         ("unit/attestations/keys/test_keys.py"
         "::test_a_key_under_the_lines_of_another_is_refused"))),
    19: Case("another spelling of a signed thing", "EnvelopeError, or the same identity",
        (("unit/attestations/statements/test_envelope.py"
         "::test_a_signature_that_is_respelled_leaves_the_identity_alone"),)),
    20: Case("old, revoked and expired things", "deny"),
    21: Case("a signature before a revocation, in no trusted time", "deny",
        (_KEYS + "test_what_a_revoked_key_signed_counts_only_where_somebody_saw_it_before",)),
    22: Case("Sigstore: another root, identity, issuer, repository", "KeylessError",
        (_PUBLIC + "test_one_of_another_sigstore_does_not_hold",
         _PUBLIC + "test_somebody_else_is_not_accepted",
         _KEYLESS + "test_another_sigstore_of_the_same_names_is_another")),
    23: Case("Sigstore: times and entries stripped, changed, of another", "KeylessError",
        (_PUBLIC + "test_the_logs_time_and_promise_cannot_be_changed_or_taken_away",
         _PUBLIC + "test_the_log_entry_of_another_statement_does_not_do",
         _KEYLESS + "test_the_time_of_another_signature_does_not_do",
         ("unit/attestations/keyless/test_clocks.py"
         "::test_a_time_outside_the_certificates_ten_minutes_is_refused"))),
    24: Case("an edited trust root", "KeylessError: the root is pinned by its digest",
        (_PUBLIC + "test_a_root_with_another_digest_is_not_looked_at",)),
    25: Case("no policy, an empty one, a broken one, an exchanged one", "PolicyError, deny",
        (("unit/attestations/admission/test_policy_file.py"
         "::test_what_is_no_policy_is_refused_with_the_place"),
         _PUBLIC + "test_an_identity_that_accepts_anybody_cannot_be_made")),
    26: Case("a layout that runs commands, or lets all pass", "LayoutError",
        (("unit/attestations/statements/test_release.py"
         "::test_a_layout_that_would_let_something_pass_is_refused_before_in_toto_sees_it"),)),
    27: Case("a file exchanged between check and use", "the verified bytes run, or refused",
        (("unit/replay/bundle/test_reader.py"
         "::test_without_verification_a_member_is_still_compared_with_its_digest"),
         _ADMISSION + "test_a_record_that_is_swapped_after_the_decision_does_not_run",
         _ADMISSION + "test_a_program_that_is_swapped_after_the_decision_does_not_run"),
        open="tools are not loaded by this version; tried for bundles and for a program's code"),
    28: Case("a verified tool that imports what was not verified", "refused",
        (_ADMISSION + "test_a_module_beside_the_program_runs_only_if_it_is_vouched_for",
         _ADMISSION + "test_a_path_that_leads_into_the_programs_directory_is_refused"),
        open="tools are not loaded by this version; tried for a program's own code. Installed"
        " distributions, their entry points and a `sitecustomize` among them are believed"),
    29: Case("one byte of a header or payload changed", "BundleError, names the event",
        (_BUNDLES + "test_any_changed_byte_is_refused_and_the_refusal_names_where",
         _BUNDLES + "test_every_byte_changed_by_a_forger_who_mends_all_digests_is_refused",
         "attacks/test_every_offset.py::test_both_verifiers_refuse_any_changed_byte")),
    30: Case("records deleted, inserted, doubled, exchanged, of another run", "BundleError"),
    31: Case("a run cut short", "open or truncated, never sealed",
        (_BUNDLES + "test_truncation_at_every_byte_is_refused",
         _STANDALONE + "test_a_run_cut_short_behind_its_workspace_is_truncated")),
    32: Case("a run cut, rewritten and signed by another key", "signature unknown or bad",
        (_CHECKING + "test_a_signature_of_one_origin_does_not_hold_for_another",)),
    33: Case("an older head that is validly signed", "conflict, with both notes as evidence",
        (("unit/attestations/anchors/test_heads.py"
         "::test_what_contradicts_a_head_is_kept_beside_it_and_never_in_its_place"),
         ("unit/attestations/anchors/test_pins.py"
         "::test_a_pin_is_not_replaced_by_what_contradicts_it"))),
    34: Case("two heads of one size", "fork",
        (("unit/attestations/anchors/test_comparing.py"
         "::test_a_log_with_another_record_below_the_known_head_is_a_fork"),),
        open="a witness server is not part of this version; its cosignatures are read"),
    35: Case("the evidence of one run for another", "BundleError, verdict failed",
        (("cli/test_attest.py"
         "::test_an_identical_replay_earns_a_receipt_that_is_of_no_other_run"),)),
    36: Case("the proof of one place for another", "ProofError",
        ("property/test_tree.py::test_a_proof_for_one_place_never_holds_for_another",
         ("unit/replay/tree/test_proofs.py"
         "::test_an_inclusion_proof_alone_does_not_pin_the_size_of_the_tree"),
         ("unit/replay/bundle/test_proof.py"
         "::test_a_path_fits_the_sizes_of_one_shape_only_so_the_size_is_the_checkpoints_word"))),
    37: Case("notes in another spelling, or with bad lines beside good ones", "ProofError",
        (_NOTE + "test_a_hostile_checkpoint_is_refused",
         _CHECKING + "test_a_name_with_the_key_of_another_is_bad_beside_a_good_one")),
    38: Case("claimed times that cannot be", "never used for order or expiry",
        ("cli/test_reading.py::test_order_answers_by_causes",
         ("unit/attestations/anchors/test_time_stamps.py"
         "::test_a_time_outside_of_the_certificate_is_refused")),
        open="a claimed time that contradicts a trusted one is shown beside it, not refused"),
    39: Case("erasure that is forged", "BundleError; a right one verifies and is counted",
        (("unit/replay/log/test_fsck.py"
         "::test_an_erased_part_is_counted_once_and_verifies_everywhere"),
         "cli/test_withhold.py::test_a_replay_says_withheld_and_stops_before_the_input")),
    40: Case("guessing payloads by their digests", "no unsalted digest, no salt"),
    41: Case("one object in two spellings", "IntegrityError, by comparing bytes",
        (("unit/replay/events/test_header.py"
         "::test_every_other_spelling_of_any_header_is_refused"),
         _BUNDLES + "test_another_spelling_of_the_manifest_is_refused")),
    42: Case("two objects with one spelling", "different commitments, or UsageError",
        open="arguments of effects are compared in their JSON: nan and None are equal there"),
    43: Case("numbers, depths and lengths without end", "our error, in bounded memory",
        ("property/test_hostile_readers.py::test_any_header_is_refused_or_read_within_bounds",
         ("unit/orchestrator/dialects/test_bounded_json.py"
         "::test_what_is_no_bounded_object_is_refused_with_a_word"))),
    44: Case("text that misleads", "refused in names, exact in payloads, inert when shown",
        (("unit/orchestrator/cli/test_terminal.py"
         "::test_characters_that_steer_a_terminal_are_spelled_out"),
         _STANDALONE + "test_a_hostile_name_does_nothing_to_a_terminal",
         ("unit/orchestrator/reports/test_csv_cells.py"
         "::test_what_a_spreadsheet_would_run_begins_with_a_quote"))),
    45: Case("decoders that run what they read", "none is reachable",
        (("architecture/test_banned_constructs.py"
         "::test_the_computing_rooms_use_no_banned_construct"),)),
    46: Case("secrets in all their places and spellings", "a surrogate stands there",
        ("unit/replay/session/test_record.py::test_a_secret_in_the_argument_list_is_in_no_record",
         ("unit/replay/doors/test_wire.py"
         "::test_a_header_whose_name_tells_a_secret_is_observed_without_its_value"),
         ("unit/replay/secrets/test_deltas.py"
         "::test_the_text_put_together_holds_the_surrogate_whatever_the_cuts"),
         "cli/test_scan.py::test_a_secret_under_another_spelling_is_found",
         "cli/test_scan.py::test_a_secret_cut_over_the_events_of_a_stream_is_found",
         "cli/test_scan.py::test_a_secret_in_a_compressed_member_of_a_file_is_found")),
    47: Case("SQL that reads, writes or loads something else", "duckdb.Error"),
    48: Case("crashes, full disks, two writers", "a prefix, and verify is clean",
        (_LOG + "test_a_second_writer_in_another_process_is_refused_and_told_who_writes",
         _LOG + "test_a_full_disk_is_named_refuses_all_that_follows_and_loses_nothing",
         "fault/test_write_points.py::test_a_recording_loses_nothing_that_was_seen",
         "fault/test_export_points.py::test_an_export_that_is_killed_leaves_a_whole_bundle_or_none",
         "fault/test_kills.py::test_a_run_killed_anywhere_holds_all_that_was_seen",
         ("attacks/test_hammer.py"
         "::test_readers_and_verifiers_beside_a_writer_see_whole_prefixes_only"))),
}  # fmt: skip
