// Any bytes at a media port whose side has ICE and DTLS: what is read as STUN is whole, an answer
// to it is read back, and a handshake takes all of it without ever agreeing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "media/side_handshake.hpp"
#include "media/stun.hpp"

namespace {

using namespace tandem;
using namespace tandem::media;

void require(bool holds) {
  if (!holds) std::abort();
}

const std::string password = "0123456789012345678901";

struct Counter final : HandshakeOutput {
  void send(const PackedAddress&, std::string_view bytes) noexcept override {
    sent_bytes += bytes.size();
  }
  std::size_t sent_bytes = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  PackedAddress from;
  from.family = IpAddress::Family::ipv4;
  from.port = 4000;
  if (const auto message = parse_stun(bytes)) {
    require(message->bytes == bytes && message->transaction.size() == 12);
    require(message->integrity_at < bytes.size());
    (void)message->is_authentic(password);
    const std::string answer = stun_success(*message, from, password);
    const auto read = parse_stun(answer);
    require(read && read->mapped == from && read->is_authentic(password));
    require(parse_stun(stun_error(*message, 420, "no", password)).has_value());
  }
  static const auto identity = io::DtlsIdentity::make().value();
  static const auto cookies = std::make_shared<const io::DtlsCookies>();
  static const std::string check =
      stun_request({.transaction = "abcdefghijkl", .username = "ours:them", .password = password});
  struct Row {
    DtlsRole role;
    bool has_ice;
    bool is_checked;  // so that the bytes get as far as the handshake
  };
  for (const Row& row : {Row{DtlsRole::server, true, false}, Row{DtlsRole::server, true, true},
                         Row{DtlsRole::server, false, false}, Row{DtlsRole::client, true, true}}) {
    MediaHandshake asked;
    asked.role = row.role;
    asked.fingerprints = {identity->fingerprint()};
    if (row.has_ice) {
      asked.ice_ufrag = "ours";
      asked.ice_password = password;
    }
    SideHandshake handshake(asked, identity, cookies, nullptr, 0);
    HandshakeBudget budget;
    Counter output;
    if (row.is_checked) {
      require(handshake.take(from, check, from, 1, budget, output));
      handshake.tick(from, 1, budget, output);
    }
    const std::size_t sent_before = output.sent_bytes;
    (void)handshake.take(from, bytes, from, 1, budget, output);
    require(handshake.state() != MediaHandshakeState::agreed);
    // Nobody is sent more than he sent: not of what needs no proof.
    require(row.is_checked || output.sent_bytes - sent_before <= size ||
            parse_stun(bytes).has_value());
  }
  return 0;
}
