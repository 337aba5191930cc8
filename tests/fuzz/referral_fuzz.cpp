// Any bytes as a REFER, as a Replaces header and as the body of an INFO: what is read of them lies
// in the message or in the room for what is unescaped, and is a key or none.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "call/key_input.hpp"
#include "sip/referral.hpp"
#include "sip/sdp.hpp"

namespace {

using namespace tandem;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_inside(std::string_view whole, std::string_view part) {
  const std::less_equal<> not_after;
  return part.empty() || (not_after(whole.data(), part.data()) &&
                          not_after(part.data() + part.size(), whole.data() + whole.size()));
}

void read(std::string_view bytes) {
  static sip::Message message;
  static sip::Unescaped room;
  room.used_bytes = 0;
  if (sip::scan(bytes, sip::Framing::datagram, message).kind != sip::Fault::Kind::none) return;
  Replacement replacement;
  bool is_there = false;
  if (sip::read_replacement(message, replacement, is_there) && is_there) {
    const DialogName& name = replacement.dialog;
    for (const std::string_view part : {name.call_id, name.own_tag, name.peer_tag})
      require(!part.empty() && is_inside(bytes, part));
  }
  Referral referral;
  if (!sip::read_referral(message, room, referral)) return;
  require(room.used_bytes <= room.bytes.size());
  const std::string_view unescaped(room.bytes.data(), room.used_bytes);
  const DialogName& dialog = referral.replaces;
  for (const std::string_view part :
       {referral.user, referral.referred_by, dialog.call_id, dialog.own_tag, dialog.peer_tag}) {
    require(is_inside(bytes, part) || is_inside(unescaped, part));
  }
  require(!referral.user.empty() || !dialog.call_id.empty());
  // A dialog is named whole or not at all.
  require(dialog.call_id.empty() == dialog.own_tag.empty() &&
          dialog.call_id.empty() == dialog.peer_tag.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  // As the value of Refer-To, where that is what it can be.
  if (bytes.find('\n') == std::string_view::npos && bytes.find('\r') == std::string_view::npos) {
    const std::string text =
        "REFER sip:1@a SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK1\r\nFrom: <sip:2@b>;tag=a\r\n"
        "To: <sip:1@a>;tag=b\r\nCall-ID: c\r\nCSeq: 1 REFER\r\n";
    // ... or of Replaces.
    for (const char* name : {"Refer-To: ", "Replaces: "})
      read(text + name + std::string(bytes) + "\r\nContent-Length: 0\r\n\r\n");
  }
  for (const char* type : {"application/dtmf-relay", "application/dtmf"}) {
    const char key = call::dtmf_key({type, bytes});
    require(key == '\0' ||
            std::string_view("0123456789*#ABCD").find(key) != std::string_view::npos);
  }
  const std::string bare = sip::without_directions(bytes);
  require(bare.size() <= bytes.size() && sip::without_directions(bare) == bare);
  return 0;
}
