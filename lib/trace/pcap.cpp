// Traced messages as a capture file.
#include <string>

#include "tandem/trace.hpp"
#include "trace/capture_file.hpp"

namespace tandem {

std::string to_pcap(const TracedCall& call) {
  std::string file = trace::capture_file_head();
  for (const TraceEntry& entry : call.entries) {
    if (entry.kind != TraceEntry::Kind::message || entry.is_lost) continue;
    trace::append_datagram(file, entry.is_sent ? entry.local : entry.remote,
                           entry.is_sent ? entry.remote : entry.local, entry.at_us, entry.text);
  }
  return file;
}

}  // namespace tandem
