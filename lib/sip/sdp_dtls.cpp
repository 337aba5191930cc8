#include "sip/sdp_dtls.hpp"

#include <algorithm>

#include "tandem/clock.hpp"

namespace tandem::sip {
namespace {

constexpr std::string_view ice_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string_view take_attribute(std::string_view& rest) noexcept {
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
      line.remove_suffix(1);
    if (line.starts_with("a=")) return line.substr(2);
  }
  return {};
}

bool take_value(std::string_view attribute, std::string_view name, std::string_view& value) {
  if (!attribute.starts_with(name)) return false;
  value = attribute.substr(name.size());
  return true;
}

bool is_ice_word(std::string_view word, std::size_t least) noexcept {
  return word.size() >= least && word.size() <= 256 &&
         word.find_first_not_of(ice_characters) == std::string_view::npos;
}

SdpSetup setup_of(std::string_view word) noexcept {
  if (word == "actpass") return SdpSetup::actpass;
  if (word == "active") return SdpSetup::active;
  if (word == "passive") return SdpSetup::passive;
  return word == "holdconn" ? SdpSetup::holdconn : SdpSetup::none;
}

std::string_view setup_word(SdpSetup setup) noexcept {
  switch (setup) {
    case SdpSetup::active:
      return "active";
    case SdpSetup::passive:
      return "passive";
    case SdpSetup::holdconn:
      return "holdconn";
    case SdpSetup::none:
    case SdpSetup::actpass:
      break;
  }
  return "actpass";
}

/// What a section says, which is instead of what the session says of the same.
void read(std::string_view lines, SdpHandshake& into) {
  std::vector<DtlsFingerprint> fingerprints;
  std::string_view value;
  while (!lines.empty()) {
    const std::string_view attribute = take_attribute(lines);
    if (take_value(attribute, "fingerprint:", value)) {
      if (fingerprints.size() >= dtls_fingerprints_max) continue;
      if (auto parsed = DtlsFingerprint::parse(value)) fingerprints.push_back(std::move(*parsed));
    } else if (take_value(attribute, "setup:", value)) {
      into.setup = setup_of(value);
    } else if (take_value(attribute, "ice-ufrag:", value)) {
      into.ice_ufrag = is_ice_word(value, 4) ? value : std::string_view();
    } else if (take_value(attribute, "ice-pwd:", value)) {
      into.ice_password = is_ice_word(value, 22) ? value : std::string_view();
    } else if (attribute == "ice-lite") {
      into.is_ice_lite = true;
    } else if (attribute == "rtcp-mux") {
      into.has_rtcp_mux = true;
    } else if (take_value(attribute, "mid:", value)) {
      if (value.size() <= 64) into.mid = value;
    }
  }
  if (!fingerprints.empty()) into.fingerprints = std::move(fingerprints);
}

bool is_bundled_there(std::string_view head, std::string_view mid) noexcept {
  std::string_view value;
  while (!head.empty()) {
    if (!take_value(take_attribute(head), "group:BUNDLE", value)) continue;
    while (!value.empty()) {
      value.remove_prefix(value.front() == ' ' ? 1 : 0);
      const std::string_view word = value.substr(0, value.find(' '));
      if (word == mid) return true;
      value.remove_prefix(std::max<std::size_t>(word.size(), value.empty() ? 0 : 1));
    }
  }
  return false;
}

}  // namespace

bool is_dtls_profile(std::string_view protocol) noexcept {
  return protocol == "UDP/TLS/RTP/SAVP" || protocol == dtls_profile;
}

SdpHandshake sdp_handshake(const SdpMedia& media) {
  SdpHandshake handshake;
  read(media.head, handshake);
  read(media.section, handshake);
  if (handshake.ice_ufrag.empty() || handshake.ice_password.empty()) {
    handshake.ice_ufrag.clear();
    handshake.ice_password.clear();
  }
  handshake.is_bundled = !handshake.mid.empty() && is_bundled_there(media.head, handshake.mid);
  return handshake;
}

std::vector<std::string> sdp_handshake_lines(const SdpOwnHandshake& own) {
  std::vector<std::string> lines;
  if (!own.mid.empty()) lines.push_back("a=mid:" + own.mid);
  if (own.has_rtcp_mux) lines.emplace_back("a=rtcp-mux");
  lines.push_back("a=fingerprint:" + own.fingerprint.to_string());
  lines.push_back("a=setup:" + std::string(setup_word(own.setup)));
  if (own.ice_ufrag.empty()) return lines;
  lines.push_back("a=ice-ufrag:" + own.ice_ufrag);
  lines.push_back("a=ice-pwd:" + own.ice_password);
  // Priority of a host candidate that is the only one (RFC 8445 section 5.1.2).
  lines.push_back("a=candidate:1 1 UDP 2130706431 " + own.candidate.ip.to_string() + ' ' +
                  std::to_string(own.candidate.port) + " typ host");
  lines.emplace_back("a=end-of-candidates");
  return lines;
}

std::string make_ice_word(std::size_t length, Random& random) {
  std::string word;
  word.reserve(length);
  while (word.size() < length) {
    std::uint64_t number = random.next();
    for (int i = 0; i < 10 && word.size() < length; ++i, number >>= 6)
      word += ice_characters[number & 63];
  }
  return word;
}

}  // namespace tandem::sip
