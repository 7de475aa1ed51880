"""Every bound on what comes from outside, in one place, with its unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The defaults are for a Raspberry Pi 4 with 2 GiB and forty phones."""

    # What a person sends
    translation_characters: int = 5_000
    question_characters: int = 500
    answer_characters: int = 5_000
    document_characters: int = 50_000
    request_bytes: int = 512 * 1024
    request_header_bytes: int = 32 * 1024
    request_seconds: int = 20  # a phone that sends nothing for so long is cut off

    # The queue
    jobs_waiting: int = 200
    jobs_waiting_per_owner: int = 50
    jobs_kept: int = 500  # finished ones, for whoever comes back to the page
    job_kept_seconds: int = 3_600
    job_abandoned_seconds: int = 60  # nobody looked for so long: the phone has gone away
    wait_seconds: int = 120  # a request that would wait longer is taken only if it may be held until it is quieter
    jobs_held: int = 100  # requests left with the box: so many may wait, and so many finished ones are kept
    jobs_held_per_owner: int = 5
    job_held_seconds: int = 12 * 3_600
    held_patience_seconds: int = 3_600  # a held request that waited longer takes its turn though others wait
    background_sentences: int = 20  # a text of more gives way to shorter ones
    company: int = 8  # short requests that share a turn
    company_cost: int = 1_600  # characters that they have together
    job_events: int = 2_000
    stream_heartbeat_seconds: int = 10
    stream_seconds: int = 600
    streams: int = 48  # open at once; beyond it pages reload by themselves

    # The engines
    source_pieces: int = 160  # SentencePiece tokens of one sentence, the tag and the end included
    target_pieces: int = 200
    target_growth: float = 2.0  # target tokens a source token, before a sentence is cut short
    target_slack: int = 12
    batch_sentences: int = 32  # run together: a quarter faster than 16 on two cores, no slower than 64
    batch_pieces: int = 1_024  # source tokens of one batch, padding counted: bounds the memory of long sentences
    part_sentences: int = 16  # of one text, before its reader sees more of it
    turn_sentences: int = 6  # the same while others wait for their turns: one and a half times a short request
    shortlist_bytes: int = 16 * 1024**2  # of the lists of a translation pack, which are held in memory
    beam: int = 8
    engine_patience_seconds: int = 5  # of one who waits for memory, before those that find their engine open wait too
    engine_wait_seconds: int = 300  # for the memory of an engine, at most

    # Text generation
    answer_tokens: int = 1_024  # of one answer, whatever is asked for
    prompt_chunk: int = 128  # tokens of a prompt read at once: it can be cancelled in between, as fast as all at once
    prefix_bytes: int = 64 * 1024**2  # of prompts kept for the next one that begins alike, for each model
    prefix_tokens: int = 16  # that two prompts share at least, before one is read on from the other
    loop_period: int = 64  # tokens: a passage so long or shorter
    loop_times: int = 3  # that comes so many times in a row
    loop_tokens: int = 48  # and makes up so many tokens ends an answer
    pattern_states: int = 4_096  # of the automaton of an answer's pattern: a kilobyte each

    # Embedding: what a pack may ask for
    embedding_tokens: int = 1_024  # of one text: the memory of attention grows with their square
    embedding_dimensions: int = 4_096

    # Packs
    manifest_bytes: int = 256 * 1024
    pack_files: int = 2_000
    pack_bytes: int = 4 * 1024**3
    pack_ratio: int = 100  # times that a file may be larger than what it is packed in
    disk_reserve_bytes: int = 200 * 1024**2
    packs_glance_seconds: int = 5  # between two looks at whether another process put a version in use

    # Trust: what a repository may make the box read
    root_bytes: int = 64 * 1024
    timestamp_bytes: int = 16 * 1024
    snapshot_bytes: int = 256 * 1024
    targets_bytes: int = 2 * 1024**2
    root_rotations: int = 64  # followed at one time
    delegations: int = 16
    stick_folders: int = 200  # of a stick, looked into for repositories
    sticks: int = 16  # in the box at once
    stick_news: int = 50  # of what became of sticks, shown to the keeper
    stick_seconds: float = 20.0  # for the system to make a stick writable, or to take it out of use
    connect_seconds: float = 20.0  # until a neighbour's box has begun to answer
    silence_seconds: float = 20.0  # between two pieces of an answer
    slowest_bytes_per_second: int = 4 * 1024  # on the average, once the first piece has come

    # Handing packs on
    measured_packs: int = 500  # of which the checksums are kept, so that their archives can be made again
    shared_downloads: int = 2  # of archives at the same time, by other boxes
    shared_wait_seconds: int = 30  # told to whoever comes while they are under way
    index_bytes: int = 64 * 1024  # of what a neighbour's box says it has
    index_roots: int = 16
    neighbours: int = 32  # shown, of those that are heard

    # The keeper
    pin_digits: int = 6
    pin_letters: int = 8  # of a phrase
    pin_characters: int = 200
    keeper_idle_seconds: int = 15 * 60  # without a page, before the PIN is asked for again
    keeper_sessions: int = 16

    # Storage and knowledge
    documents: int = 5_000
    document_file_bytes: int = 16 * 1024**2  # written as a whole at each save: about a second on a common card
    journal_bytes: int = 32 * 1024**2  # of its file, beyond which the oldest readings leave
    readings: int = 200_000  # of sensors: a year of twenty an hour
    readings_file_bytes: int = 4 * 1024**2
    sensors: int = 64  # times what each measures: whose last readings are looked at
    history: int = 2_000  # what happened to the box: starts, cuts, copies
    kept_result_bytes: int = 1024**2  # of one request left with the box, in the journal
    reserve_bytes: int = 64 * 1024**2  # of the disk, that nothing people save may take: room to delete and to tidy up
    reserve_file_bytes: int = 40 * 1024**2  # held by a file, against whatever else fills the disk
    backup_bytes: int = 256 * 1024**2  # of one file in a backup
    backup_files: int = 20_000
    article_bytes: int = 64 * 1024
    tree_bytes: int = 64 * 1024
    tree_steps: int = 12  # a tree is printed on one sheet
    tree_leaves: int = 16
    tree_observations: int = 8  # from the start to a leaf
    picture_bytes: int = 4 * 1024
    articles: int = 20_000  # of the box and of knowledge packs; what is more is left out
    knowledge_bytes: int = 16 * 1024**2  # of the articles of one pack, which are held in memory
    knowledge_languages: int = 16  # of one pack
    contribution_characters: int = 4_000  # of an article or a note that a member writes
    contribution_line: int = 400  # characters of its title, or of one sign or step
    contribution_lines: int = 12  # signs, or steps
    contributor_characters: int = 40  # of the name that somebody wants to be called by
    contributions: int = 1_000  # accepted ones and those that wait
    contributions_waiting: int = 200
    contributions_waiting_per_owner: int = 5
    contributions_closed: int = 300  # refused and withdrawn ones that are kept
    contribution_file_bytes: int = 8 * 1024**2  # written as a whole at each change
    passages: int = 5  # shown for one question
    written_passages: int = 2  # that a short answer is written from
    written_tokens: int = 200  # of it, at most, before what nothing supports is left out
    written_sentences: int = 6  # shown
    candidates: int = 50  # articles that have its words, and as many that mean the same


LIMITS = Limits()
