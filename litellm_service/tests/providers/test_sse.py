"""Events come out the same however the bytes are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import ProviderUnavailable
from gateway.providers.sse import MAX_EVENT_BYTES, EventSplitter, event_data

LINE = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs",)), max_size=12)
FIELD = st.sampled_from(["data: ", "data:", "event: ", ": ", "id: "])
EVENT = st.lists(st.tuples(FIELD, LINE), min_size=1, max_size=3)
END = st.sampled_from(["\n", "\r\n", "\r"])


def cut(data: bytes, points: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(point % (len(data) + 1) for point in points)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def events_of(pieces: list[bytes]) -> list[bytes]:
    splitter = EventSplitter()
    events = [event for piece in pieces for event in splitter.feed(piece)]
    return events + splitter.end()


@given(st.lists(EVENT, max_size=5), END, st.lists(st.integers(0, 500), max_size=12), st.booleans())
def test_any_chunking_gives_the_same_events(events, end, points, with_mark):
    text = "".join("".join(field + line + end for field, line in event) + end for event in events)
    data = (b"\xef\xbb\xbf" if with_mark else b"") + text.encode()
    expected = [("".join(field + line + "\n" for field, line in event) + "\n").encode() for event in events]
    assert events_of(cut(data, points)) == expected
    assert events_of([data[i : i + 1] for i in range(len(data))]) == expected


def test_a_stream_without_its_last_blank_line_still_gives_its_last_event():
    assert events_of([b"data: a\n\ndata: b"]) == [b"data: a\n\n", b"data: b\n\n"]


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: x\n\n", b"x"),
        (b"data:x\n\n", b"x"),
        (b"data: x\ndata: y\n\n", b"x\ny"),
        (b"event: ping\ndata: {}\n\n", b"{}"),
        (b": comment\n\n", None),
        (b"data\n\n", None),
    ],
)
def test_the_data_of_an_event_is_its_data_lines(event, data):
    assert event_data(event) == data


def test_an_event_that_never_ends_is_refused():
    with pytest.raises(ProviderUnavailable, match="1 MB"):
        events_of([b"x" * 65_536] * (MAX_EVENT_BYTES // 65_536 + 2))
