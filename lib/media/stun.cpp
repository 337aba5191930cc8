#include "media/stun.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace tandem::media {
namespace {

constexpr std::size_t header_bytes = 20, integrity_bytes = 20;
constexpr std::uint32_t magic_cookie = 0x2112A442;
constexpr std::uint16_t binding = 0x0001;
constexpr std::uint16_t class_bits = 0x0110;
enum Attribute : std::uint16_t {
  username = 0x0006,
  message_integrity = 0x0008,
  error_code = 0x0009,
  unknown_attributes = 0x000A,
  xor_mapped_address = 0x0020,
  priority = 0x0024,
  use_candidate = 0x0025,
  optional_from = 0x8000,
  fingerprint = 0x8028,
  ice_controlled = 0x8029,
  ice_controlling = 0x802A,
};

std::uint16_t read_16(std::string_view bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                    static_cast<unsigned char>(bytes[at + 1]));
}
std::uint32_t read_32(std::string_view bytes, std::size_t at) noexcept {
  return std::uint32_t{read_16(bytes, at)} << 16 | read_16(bytes, at + 2);
}
void write_16(std::string& out, std::uint16_t number) {
  out += static_cast<char>(number >> 8);
  out += static_cast<char>(number);
}
void write_32(std::string& out, std::uint32_t number) {
  write_16(out, static_cast<std::uint16_t>(number >> 16));
  write_16(out, static_cast<std::uint16_t>(number));
}

constexpr std::array<std::uint32_t, 256> crc_of_byte = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320U : 0U);
    table[byte] = crc;
  }
  return table;
}();

// Of any stranger's datagram: a bit at a time would take ten times as long as a packet does.
std::uint32_t crc_32(std::string_view bytes) noexcept {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes)
    crc = crc >> 8 ^ crc_of_byte[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}
std::uint32_t fingerprint_of(std::string_view bytes) noexcept { return crc_32(bytes) ^ 0x5354554E; }

/// HMAC-SHA1 of the message as far as its MESSAGE-INTEGRITY, with a length that ends behind that.
bool integrity_of(std::string_view before, std::string_view password,
                  std::array<unsigned char, integrity_bytes>& out) noexcept {
  std::array<char, stun_bytes_max> copy;
  if (before.size() < header_bytes || before.size() > copy.size()) return false;
  std::memcpy(copy.data(), before.data(), before.size());
  const std::size_t length = before.size() - header_bytes + 4 + integrity_bytes;
  copy[2] = static_cast<char>(length >> 8);
  copy[3] = static_cast<char>(length);
  unsigned made_bytes = 0;
  return HMAC(EVP_sha1(), password.data(), static_cast<int>(password.size()),
              reinterpret_cast<const unsigned char*>(copy.data()), before.size(), out.data(),
              &made_bytes) != nullptr &&
         made_bytes == integrity_bytes;
}

std::optional<PackedAddress> read_mapped(std::string_view value,
                                         std::string_view transaction) noexcept {
  if (value.size() != 8 && value.size() != 20) return std::nullopt;
  PackedAddress address;
  const bool is_ipv4 = value[1] == 1;
  if ((is_ipv4 && value.size() != 8) || (!is_ipv4 && (value[1] != 2 || value.size() != 20)))
    return std::nullopt;
  address.port = static_cast<std::uint16_t>(read_16(value, 2) ^ magic_cookie >> 16);
  address.family = is_ipv4 ? IpAddress::Family::ipv4 : IpAddress::Family::ipv6;
  std::array<unsigned char, 16> mask{0x21, 0x12, 0xA4, 0x42};
  std::memcpy(mask.data() + 4, transaction.data(), 12);
  std::array<unsigned char, 16> ip{};
  for (std::size_t i = 0; i + 4 < value.size(); ++i)
    ip[i] = static_cast<unsigned char>(static_cast<unsigned char>(value[4 + i]) ^ mask[i]);
  std::memcpy(address.ip.data(), ip.data(), ip.size());
  return address;
}

class Writer {
 public:
  Writer(std::uint16_t type, std::string_view transaction) {
    write_16(out_, type);
    write_16(out_, 0);
    write_32(out_, magic_cookie);
    out_ += transaction;
  }
  void attribute(std::uint16_t type, std::string_view value) {
    write_16(out_, type);
    write_16(out_, static_cast<std::uint16_t>(value.size()));
    out_ += value;
    out_.append((4 - value.size() % 4) % 4, '\0');
  }
  void mapped(const PackedAddress& address) {
    std::string value(1, '\0');
    const bool is_ipv4 = address.family == IpAddress::Family::ipv4;
    value += static_cast<char>(is_ipv4 ? 1 : 2);
    write_16(value, static_cast<std::uint16_t>(address.port ^ magic_cookie >> 16));
    std::array<char, 16> ip{};
    std::memcpy(ip.data(), address.ip.data(), ip.size());
    for (std::size_t i = 0; i < (is_ipv4 ? 4U : 16U); ++i)
      value += static_cast<char>(ip[i] ^ out_[4 + i]);  // cookie and transaction
    attribute(xor_mapped_address, value);
  }
  std::string finish(std::string_view password) {
    std::array<unsigned char, integrity_bytes> integrity{};
    (void)integrity_of(out_, password, integrity);  // short
    attribute(message_integrity,
              {reinterpret_cast<const char*>(integrity.data()), integrity.size()});
    set_length(8);
    std::string value;
    write_32(value, fingerprint_of(out_));
    attribute(fingerprint, value);
    return std::move(out_);
  }

 private:
  void set_length(std::size_t ahead) {
    const std::size_t length = out_.size() - header_bytes + ahead;
    out_[2] = static_cast<char>(length >> 8);
    out_[3] = static_cast<char>(length);
  }
  std::string out_;
};

}  // namespace

PortTraffic port_traffic(std::string_view bytes) noexcept {
  if (bytes.empty()) return PortTraffic::other;
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (first <= 3) return PortTraffic::stun;
  if (first >= 20 && first <= 63) return PortTraffic::dtls;
  return first >= 128 && first <= 191 ? PortTraffic::rtp : PortTraffic::other;
}

std::optional<StunMessage> parse_stun(std::string_view bytes) noexcept {
  if (bytes.size() < header_bytes || bytes.size() > stun_bytes_max) return std::nullopt;
  const std::uint16_t type = read_16(bytes, 0);
  if (read_16(bytes, 2) != bytes.size() - header_bytes || bytes.size() % 4 != 0 ||
      read_32(bytes, 4) != magic_cookie || (type & ~class_bits) != binding)
    return std::nullopt;
  StunMessage message;
  message.bytes = bytes;
  message.transaction = bytes.substr(8, 12);
  switch (type & class_bits) {
    case 0x0000:
      break;
    case 0x0010:
      message.kind = StunKind::indication;
      break;
    case 0x0100:
      message.kind = StunKind::success;
      break;
    default:
      message.kind = StunKind::error;
      break;
  }
  for (std::size_t at = header_bytes; at < bytes.size();) {
    if (message.has_fingerprint) return std::nullopt;  // it is the last one
    if (bytes.size() - at < 4) return std::nullopt;
    const std::uint16_t attribute = read_16(bytes, at);
    const std::size_t count = read_16(bytes, at + 2);
    const std::size_t next = at + 4 + (count + 3) / 4 * 4;
    if (next > bytes.size()) return std::nullopt;
    const std::string_view value = bytes.substr(at + 4, count);
    if (attribute == fingerprint) {
      if (count != 4 || read_32(bytes, at + 4) != fingerprint_of(bytes.substr(0, at)))
        return std::nullopt;
      message.has_fingerprint = true;
    } else if (message.integrity_at != 0) {
      // Nobody vouches for what is behind it (RFC 8489 section 14.5).
    } else if (attribute == message_integrity) {
      if (count != integrity_bytes) return std::nullopt;
      message.integrity_at = at;
    } else if (attribute == username) {
      message.username = value;
    } else if (attribute == priority) {
      if (count != 4) return std::nullopt;
      message.priority = read_32(value, 0);
    } else if (attribute == use_candidate) {
      message.nominates = true;
    } else if (attribute == ice_controlled) {
      message.is_controlled = true;
    } else if (attribute == error_code) {
      if (count < 4) return std::nullopt;
      message.error_code = static_cast<std::uint16_t>((value[2] & 7) * 100 +
                                                      static_cast<unsigned char>(value[3]) % 100);
    } else if (attribute == xor_mapped_address) {
      message.mapped = read_mapped(value, message.transaction);
    } else if (attribute < optional_from && message.unknown == 0) {
      message.unknown = attribute;
    }
    at = next;
  }
  return message;
}

bool StunMessage::is_authentic(std::string_view password) const noexcept {
  if (integrity_at == 0) return false;
  std::array<unsigned char, integrity_bytes> made{};
  return integrity_of(bytes.substr(0, integrity_at), password, made) &&
         CRYPTO_memcmp(made.data(), bytes.data() + integrity_at + 4, made.size()) == 0;
}

std::string stun_success(const StunMessage& request, const PackedAddress& from,
                         std::string_view password) {
  Writer writer(binding | 0x0100, request.transaction);
  writer.mapped(from);
  return writer.finish(password);
}

std::string stun_error(const StunMessage& request, int code, std::string_view reason,
                       std::string_view password) {
  Writer writer(binding | 0x0110, request.transaction);
  std::string value("\0\0", 2);
  value += static_cast<char>(code / 100);
  value += static_cast<char>(code % 100);
  value += reason;
  writer.attribute(error_code, value);
  if (code == 420) {
    std::string unknown;
    write_16(unknown, request.unknown);
    writer.attribute(unknown_attributes, unknown);
  }
  return writer.finish(password);
}

std::string stun_request(const StunCheck& check) {
  Writer writer(binding, check.transaction);
  writer.attribute(username, check.username);
  std::string number;
  write_32(number, check.priority);
  writer.attribute(priority, number);
  number.clear();
  write_32(number, static_cast<std::uint32_t>(check.tie_breaker >> 32));
  write_32(number, static_cast<std::uint32_t>(check.tie_breaker));
  writer.attribute(check.is_controlling ? ice_controlling : ice_controlled, number);
  if (check.nominates) writer.attribute(use_candidate, {});
  return writer.finish(check.password);
}

}  // namespace tandem::media
