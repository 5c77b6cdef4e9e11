# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage that a disk does to the store while the daemon is down.

Only the messages that were hit are lost; each of them is named in the log; all others arrive. No message ever arrives
mangled, whatever the damage.
"""

import random

import pytest

from store import Store

BLOCK_BYTES = 4096

# A message may lie across the border of two blocks of a journal, with a neighbour on either side; GDBM puts the envelopes
# of many into one block.
BLOCK_HITS_MOST = {"journal": 3, "gdbm": 16}

# Damage in what was written last cannot be told from a write that the crash cut off.
LAST_BYTES = 8192


def flip_bit(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def lose_block(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset // BLOCK_BYTES * BLOCK_BYTES)
        file.write(bytes(BLOCK_BYTES))


@pytest.fixture(scope="module", params=["journal", "gdbm"])
def store(request, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"), {"journal": "64M", "gdbm": "64K"}[request.param])
    store.kind = request.param
    return store


def places(store, count):
    """Places all over the files, without the zeroes that a journal gets in advance: (path, offset)."""
    generator = random.Random(count)
    for _ in range(count):
        path = generator.choice(store.files(store.kind))
        end = len(path.read_bytes().rstrip(b"\0"))
        if store.kind == "journal":
            end -= LAST_BYTES
        yield path, generator.randrange(end)


def hurt(store, figure, count, damage, lost_most):
    lost = []
    for path, offset in places(store, count):
        state = store.copy()
        damage(state / "queue" / path.name, offset)
        arrived, named, log = store.open(state)
        missing = set(store.tokens) - arrived
        where = f"{damage.__name__} at {offset} of {path.name}"
        assert len(missing) <= lost_most, f"{where}: {len(missing)} messages are lost:\n{log}"
        assert named <= missing, f"{where}: {named - missing} were named, and came all the same:\n{log}"
        assert missing == named or (damage is lose_block and " is damaged" in log), \
            f"{where}: {missing - named} were not named:\n{log}"
        lost.append(len(missing))
    figure(f"{len(lost)} times {damage.__name__} in a {store.kind} with {len(store.tokens)} messages: {sum(lost)} lost, "
           f"at most {max(lost)} at once, all told; none mangled")


def test_a_flipped_bit_costs_one_message_which_is_named(store, figure):
    hurt(store, figure, 5, flip_bit, 1)


def test_a_lost_block_costs_what_was_in_it(store, figure):
    hurt(store, figure, 5, lose_block, BLOCK_HITS_MOST[store.kind])


@pytest.mark.long
def test_hundreds_of_flipped_bits_cost_one_message_each(store, figure):
    hurt(store, figure, 300, flip_bit, 1)


@pytest.mark.long
def test_hundreds_of_lost_blocks_cost_what_was_in_them(store, figure):
    hurt(store, figure, 300, lose_block, BLOCK_HITS_MOST[store.kind])


@pytest.mark.parametrize("block", [0, 1], ids=["first", "second"])
def test_a_file_whose_beginning_is_lost_keeps_the_rest(store, block):
    path = store.files(store.kind)[0]
    state = store.copy()
    lose_block(state / "queue" / path.name, block * BLOCK_BYTES)
    arrived, _, log = store.open(state)
    assert len(store.tokens) - len(arrived) <= BLOCK_HITS_MOST[store.kind], log
