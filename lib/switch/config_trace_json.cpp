// Keys of the file's section `trace` (O-12).
#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

const std::vector<Field<HepConfig>>& hep_fields() {
  static const std::vector<Field<HepConfig>> fields = {
      {"server", "address", "required", "Where a server listens for HEP version 3 over UDP.",
       [](Reader& r, const Json& v, HepConfig& h) {
         constexpr std::uint16_t usual_port = 9060;
         std::string text;
         if (!r.string(v, text)) return;
         if (auto address = SocketAddress::parse(text, usual_port)) {
           h.server = *address;
         } else {
           r.fail(address.error().message);
         }
       }},
      {"capture_id", "integer 0..4294967295", "0", "Tells this switch from others.",
       [](Reader& r, const Json& v, HepConfig& h) { r.number(v, 0, 4'294'967'295, h.capture_id); }},
      {"password", "text", "\"\"", "What the server wants to see; at most 64 characters.",
       [](Reader& r, const Json& v, HepConfig& h) { r.string(v, h.password, 64); }},
      {"queue_packets", "integer 1..65536", "512",
       "Copies that a worker keeps until the end of a turn of its loop; more are dropped and "
       "counted.",
       [](Reader& r, const Json& v, HepConfig& h) { r.number(v, 1, 65'536, h.queue_packets); }},
      {"all_calls", "boolean", "false",
       "Copies of all calls, not of traces that want it alone; needs `ring_bytes`.",
       [](Reader& r, const Json& v, HepConfig& h) { r.boolean(v, h.all_calls); }},
  };
  return fields;
}

const std::vector<Field<TraceConfig>>& trace_fields() {
  static const std::vector<Field<TraceConfig>> fields = {
      {"ring_bytes", "integer 0 or 65536..1073741824", "0",
       "Memory for the messages of the latest calls, always on; 0: off.",
       [](Reader& r, const Json& v, TraceConfig& t) {
         r.number(v, 0, 1'073'741'824, t.ring_bytes);
       }},
      {"memory_bytes", "integer 1048576..4294967296", "67108864",
       "Memory that all other traces may ask for together.",
       [](Reader& r, const Json& v, TraceConfig& t) {
         r.number(v, 1'048'576, 4'294'967'296, t.memory_bytes);
       }},
      {"redact", "boolean", "true",
       "Puts `*` in the place of responses to challenges and of keys in SDP.",
       [](Reader& r, const Json& v, TraceConfig& t) { r.boolean(v, t.redact); }},
      {"hep", "object", "none", "A capture server such as Homer, see below.",
       [](Reader& r, const Json& v, TraceConfig& t) {
         read_object(r, v, hep_fields(), {"server"}, t.hep);
       }},
  };
  return fields;
}

}  // namespace tandem::config
