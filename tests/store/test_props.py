"""Props are JSON of the sender's, read by the core and by ClickHouse's own parser: both are to read the same."""

import pytest

from pipeline.core.decode import Flaw, decode
from pipeline.core.scores import metric_of
from pipeline.store.client import Client

_DEEP = 900


@pytest.mark.parametrize(
    "props",
    [
        '{"metric":"nps"}',
        '{"metric":"nps","metric":"csat"}',
        '{"metric":"nps","x":1e999}',
        '{"metric":"nps","x":[1.7976931348623159e308]}',
        '{"metric":"nps","x":1e-999}',
        '{"metric":"nps","x":123456789012345678901234567890}',
        '{"metric":"nps","x":"\\u0000"}',
        '{"m\\u0065tric":"n\\u0070s","x":"\\ud83d\\ude00"}',
        '{"metric":"nps","m\\u0065tric":"csat"}',
        '{"metric":"nps","x":"\\ud83d"}',
        '{"metric":"nps","x":{"a":1,"a":2,"metric":"csat"}}',
        '{ "metric" : "nps" , "url" : "https://shop.example/" }',
        '{"metric":"nps","x":' + "[" * _DEEP + "]" * _DEEP + "}",
    ],
)
def test_what_is_accepted_is_read_alike(client: Client, props: str) -> None:
    hit = decode(f'{{"site":"s","event":"survey_response","visitor_id":"v","props":{props}}}'.encode())
    answer = client.query("SELECT JSONExtractString({props:String}, 'metric')", {"props": props})
    agrees = [(metric_of(props.encode()),)] == [tuple(row) for row in answer]
    assert agrees or isinstance(hit, Flaw), "read in two ways, and let in"
    is_odd = any(one in props for one in ("csat", "e999", "e308", '\\ud83d"'))
    assert isinstance(hit, Flaw) is (is_odd and '"a":2' not in props), "nothing is refused without need"
