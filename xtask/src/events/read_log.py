"""Reads a trace file by two foreign readers: read_log.py FILE.

Prints a JSON object with a list of events of each reader. etl-parser decodes the fields of events that bring their own
description; dissect.etl reads header, description, traits and values, of which the caller judges the bytes.
"""

import io
import json
import pathlib
import sys

from dissect.etl import ETL
from dissect.etl.headers.event import EventHeader, EventHeaderExtendedDataItem, ExtType
from etl.etl import IEtlFileObserver, build_from_stream
from etl.parsers import tracelogging

# etl-parser 1.0.1 asks for the type of a hexadecimal number of 32 bits twice, and never for that of 64.
_read_field = tracelogging.read_field


def _read(stream, tag):
    kind = tracelogging.TagIn.UINT64.value if tag & 0x1F == tracelogging.TagIn.HEXINT64.value else tag
    return _read_field(stream, kind)


tracelogging.read_field = _read


class Observer(IEtlFileObserver):
    """Keeps the events of a file."""

    def __init__(self):
        self.events = []

    def on_event_record(self, event):
        decoded = event.parse_tracelogging()
        fields = {name: bytes(value).hex() if isinstance(value, list) else value for name, value in decoded.items()}
        self.events.append({"name": decoded.get_name(), "fields": fields})

    def on_trace_record(self, _event):
        pass

    def on_perfinfo_trace(self, _event):
        pass

    def on_system_trace(self, _event):
        pass

    def on_win_trace(self, _event):
        pass


def by_dissect(raw):
    """The events with a description, as dissect.etl has them.

    dissect.etl 3.14 does not look whether another item follows, and takes values for items: the two are read one by one.
    """
    for record in ETL(io.BytesIO(raw)):
        if not isinstance(record.header, EventHeader):
            continue
        payload = record.header.payload
        schema = EventHeaderExtendedDataItem(payload)
        traits = EventHeaderExtendedDataItem(payload[schema.size :])
        if [schema.ext_type, traits.ext_type] == [ExtType.EVENT_SCHEMA_TL, ExtType.PROV_TRAITS]:
            yield {
                "provider": bytes(traits.data["ProviderName"]).rstrip(b"\0").decode(),
                "description": bytes(schema.raw_data).hex(),
                "values": bytes(payload[schema.size + traits.size :]).hex(),
            }


content = pathlib.Path(sys.argv[1]).read_bytes()
observer = Observer()
build_from_stream(content).parse(observer)
json.dump({"etl_parser": observer.events, "dissect": list(by_dissect(content))}, sys.stdout)
