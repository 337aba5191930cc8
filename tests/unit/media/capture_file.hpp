// Reads the UDP datagrams of packet captures: pcap and pcapng, little-endian, of Ethernet, Linux
// cooked and raw IP.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::media {

/// What two ends sent to each other, in the order of the capture.
struct Conversation {
  struct Datagram {
    bool is_of_first = true;  ///< Of the end that spoke first.
    std::string bytes;
  };
  std::string first, second;  ///< Address and port, as bytes.
  std::uint16_t ports[2] = {0, 0};
  std::vector<Datagram> datagrams;
};

class CaptureFile {
 public:
  /// Empty when there is nothing that can be read.
  static std::vector<Conversation> read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    CaptureFile read(bytes);
    if (bytes.size() < 24) return {};
    if (read.u32(0) == 0x0A0D0D0A) {
      read.take_blocks();
    } else if (read.u32(0) == 0xA1B2C3D4 || read.u32(0) == 0xA1B23C4D) {
      read.take_records();
    }
    return std::move(read.conversations_);
  }

 private:
  explicit CaptureFile(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint32_t u32(std::size_t at) const {
    std::uint32_t value = 0;
    if (at + sizeof value <= bytes_.size()) std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }
  void take_records() {
    const std::uint32_t link = u32(20);
    for (std::size_t at = 24; at + 16 <= bytes_.size(); at += 16 + u32(at + 8))
      take_frame(link, bytes_.substr(at + 16, u32(at + 8)));
  }
  void take_blocks() {
    std::vector<std::uint32_t> links;
    for (std::size_t at = 0; at + 12 <= bytes_.size() && u32(at + 4) >= 12; at += u32(at + 4)) {
      if (u32(at) == 1) links.push_back(u32(at + 8) & 0xFFFF);
      if (u32(at) == 6 && u32(at + 8) < links.size() && at + 28 <= bytes_.size())
        take_frame(links[u32(at + 8)], bytes_.substr(at + 28, u32(at + 20)));
    }
  }
  void take_frame(std::uint32_t link, std::string_view frame) {
    std::size_t header = 0;  // of the link; its last two bytes are the protocol
    if (link == 1) header = 14;
    if (link == 113) header = 16;
    if (link != 1 && link != 113 && link != 101) return;
    if (frame.size() < header + 20) return;
    while (link == 1 && frame.size() > header + 24 && be16(frame, header - 2) == 0x8100)
      header += 4;
    frame.remove_prefix(header);
    const int version = static_cast<unsigned char>(frame[0]) >> 4;
    if (version == 4) {
      const auto ip_bytes = static_cast<std::size_t>(frame[0] & 0xF) * 4;
      if (frame[9] != 17 || (be16(frame, 6) & 0x3FFF) != 0) return;
      take_udp(frame.substr(12, 4), frame.substr(16, 4),
               frame.substr(std::min(ip_bytes, frame.size())));
    } else if (version == 6 && frame.size() > 48 && frame[6] == 17) {
      take_udp(frame.substr(8, 16), frame.substr(24, 16), frame.substr(40));
    }
  }
  void take_udp(std::string_view from_ip, std::string_view to_ip, std::string_view udp) {
    if (udp.size() < 8 || be16(udp, 4) < 8 || be16(udp, 4) > udp.size()) return;
    const std::string from = std::string(from_ip) + std::string(udp.substr(0, 2));
    const std::string to = std::string(to_ip) + std::string(udp.substr(2, 2));
    const auto key = from < to ? std::pair(from, to) : std::pair(to, from);
    const auto [found, is_new] = places_.try_emplace(key, conversations_.size());
    if (is_new) conversations_.push_back({from, to, {be16(udp, 0), be16(udp, 2)}, {}});
    Conversation& conversation = conversations_[found->second];
    conversation.datagrams.push_back(
        {from == conversation.first, std::string(udp.substr(8, be16(udp, 4) - 8U))});
  }
  static std::uint16_t be16(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                      static_cast<unsigned char>(bytes[at + 1]));
  }

  std::string_view bytes_;
  std::map<std::pair<std::string, std::string>, std::size_t> places_;
  std::vector<Conversation> conversations_;
};

}  // namespace tandem::media
