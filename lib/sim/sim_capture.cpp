#include <cerrno>
#include <cstdio>
#include <memory>

#include "sim/sim_core.hpp"
#include "trace/capture_file.hpp"

namespace tandem::sim {

void Capture::add(const DatagramView& view, std::int64_t wall_us) {
  if (bytes_.size() + view.bytes.size() > bytes_max_ ||
      entries_.size() * sizeof(Entry) > bytes_max_) {
    ++overflow_;
    return;
  }
  entries_.push_back({view.from, view.to, wall_us, bytes_.size(), view.bytes.size()});
  bytes_ += view.bytes;
}

Result<void> Capture::write_pcap(const std::string& path) const {
  const auto failed = [&path] {
    return Error{ErrorCode::io, "could not write \"" + path + "\": " + io::system_message(errno)};
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"),
                                                             &std::fclose);
  if (!file) return failed();
  const auto write = [&file](const std::string& bytes) {
    return std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  };
  if (!write(trace::capture_file_head())) return failed();
  std::string packet;
  for (const Entry& entry : entries_) {
    packet.clear();
    trace::append_datagram(packet, entry.from, entry.to, entry.wall_us,
                           std::string_view(bytes_).substr(entry.offset, entry.size));
    if (!write(packet)) return failed();
  }
  if (std::fflush(file.get()) != 0) return failed();
  return {};
}

}  // namespace tandem::sim
