// Any bytes as a traced message, and as the request for a trace: nothing is read beyond the end,
// and what is recorded keeps its length.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tandem/trace.hpp"
#include "trace/call_id.hpp"
#include "trace/hep.hpp"
#include "trace/redact.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tandem;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  (void)trace::call_id_of(input);
  TracedCall call;
  TraceEntry& entry = call.entries.emplace_back();
  entry.local = SocketAddress::parse("192.0.2.1:5060").value();
  entry.remote = SocketAddress::parse("[2001:db8::1]:5060").value();
  entry.text = input;
  trace::redact(entry.text);
  if (entry.text.size() != size) std::abort();
  if (trace::hep_packet(entry, {}, input).size() > 65'535) std::abort();
  for (const char* format : {"ladder", "messages", "json", "pcap"}) {
    if (!format_traced_call(call, format).ok()) std::abort();
  }
  const auto request = read_trace_request(input);
  if (request) return 0;
  const std::string& why = request.error().message;
  if (why.empty() || why.find_first_of("\r\n") != std::string::npos) std::abort();
  return 0;
}
