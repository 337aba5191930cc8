// Any bytes: what the reader takes can be rewritten, and what comes out says our addresses and
// nothing of theirs. What settings leave of codecs is less of the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sip/sdp.hpp"
#include "sip/sdp_crypto.hpp"
#include "sip/sdp_dtls.hpp"
#include "sip/sdp_policy.hpp"

namespace {

using namespace tandem::sip;

void require(bool holds) {
  if (!holds) std::abort();
}

const std::vector<tandem::CodecName>& codecs() {
  static const std::vector<tandem::CodecName> list = [] {
    std::vector<tandem::CodecName> names;
    for (const char* name : {"G729", "G723", "PCMA", "opus", "H264"})
      names.push_back(tandem::CodecName::parse(name).value());
    return names;
  }();
  return list;
}

/// Whether every format of `kept` is one of `all`.
bool are_among(std::string_view kept, std::string_view all) {
  while (!kept.empty()) {
    const std::string_view word = kept.substr(0, kept.find(' '));
    bool is_there = word.empty();
    for (std::size_t at = all.find(word); !is_there && at != std::string_view::npos;
         at = all.find(word, at + 1)) {
      const bool begins = at == 0 || all[at - 1] == ' ';
      const bool ends = at + word.size() == all.size() || all[at + word.size()] == ' ';
      is_there = begins && ends;
    }
    if (!is_there) return false;
    kept.remove_prefix(word.size() == kept.size() ? word.size() : word.size() + 1);
  }
  return true;
}

void apply(const SdpSession& session, SdpEdit edit) {
  SdpPolicy policy;
  policy.codecs = codecs();
  policy.annexb = tandem::AnnexMode::no;
  policy.annexa = tandem::AnnexMode::pass;
  policy.ptime_adaptive = true;
  for (const bool is_direct : {true, false}) {
    edit.is_direct = is_direct;
    SdpEdit changed = edit;
    if (!apply_policies(session, SdpRole::offer, policy, policy, changed).ok()) return;
    (void)write_own_answer(session, changed);  // only that it ends and stays inside
    const tandem::Result<std::string> written = rewrite_sdp(session, changed);
    require(written.ok());
    if (written->size() > SdpLimits::bytes_max) return;
    const tandem::Result<SdpSession> again = parse_sdp(*written);
    if (!again.ok()) {
      require(again.error().code == tandem::ErrorCode::limit);
      return;
    }
    require(again->media_count == session.media_count);
    for (std::size_t i = 0; i < again->media_count; ++i)
      require(are_among(again->media[i].formats, session.media[i].formats));
  }
}

/// What is added can be read again; an answer to it is written with the numbers of who offered.
void convert(const SdpSession& session, SdpEdit edit) {
  SdpPolicy policy;
  policy.transcodes = policy.converts_keys = true;
  edit.is_direct = false;
  const SdpMedia* const audio = session.first_audio();
  const std::vector<SdpTaken> taken =
      audio == nullptr ? std::vector<SdpTaken>() : taken_formats(*audio);
  for (const SdpRole role : {SdpRole::offer, SdpRole::answer}) {
    SdpEdit changed = edit;
    policy.taken = taken;
    if (!apply_policies(session, role, policy, policy, changed).ok()) return;
    const tandem::Result<std::string> written = rewrite_sdp(session, changed);
    require(written.ok());
    const tandem::Result<SdpSession> again = parse_sdp(*written);
    require(again.ok() ? again->media_count == session.media_count
                       : again.error().code == tandem::ErrorCode::limit);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const tandem::Result<SdpSession> session = parse_sdp(text);
  if (!session.ok()) return 0;
  SdpEdit edit;
  edit.session_id = 1;
  edit.session_version = 2;
  edit.origin_address = tandem::IpAddress::ipv4(192, 0, 2, 1);
  for (std::size_t i = 0; i < session->media_count; ++i) {
    const SdpMedia& media = session->media[i];
    (void)sdp_codec_names(media);  // only that it ends and stays inside
    SdpStreamEdit stream;
    stream.is_refused = media.port == 0;
    for (const SdpCrypto& crypto : sdp_cryptos(media)) {
      require(crypto.key.key.size() == tandem::srtp_key_bytes(crypto.key.suite));
      stream.replaces_crypto = true;
      stream.crypto.push_back(sdp_crypto_line(crypto));
    }
    const SdpHandshake handshake = sdp_handshake(media);
    require(handshake.fingerprints.size() <= tandem::dtls_fingerprints_max);
    require(handshake.ice_ufrag.empty() == handshake.ice_password.empty());
    stream.replaces_handshake = !handshake.fingerprints.empty();
    stream.address = tandem::IpAddress::ipv4(192, 0, 2, static_cast<std::uint8_t>(1 + i % 2));
    stream.port = static_cast<std::uint16_t>(10000 + 2 * i);
    stream.rtcp_port = static_cast<std::uint16_t>(stream.port + 1 + i % 2);
    edit.streams.push_back(stream);
  }
  apply(*session, edit);
  convert(*session, edit);
  const tandem::Result<std::string> rewritten = rewrite_sdp(*session, edit);
  require(rewritten.ok());
  if (rewritten->size() > SdpLimits::bytes_max) return 0;
  const tandem::Result<SdpSession> again = parse_sdp(*rewritten);
  if (!again.ok()) {
    // Lines may be added at the limit of lines; nothing else may fail.
    require(again.error().code == tandem::ErrorCode::limit);
    return 0;
  }
  require(again->media_count == session->media_count && again->origin_version == "2");
  for (std::size_t i = 0; i < again->media_count; ++i) {
    const SdpMedia& media = again->media[i];
    require(media.port == (edit.streams[i].is_refused ? 0 : edit.streams[i].port));
    require(edit.streams[i].is_refused || media.address == edit.streams[i].address);
    require(media.formats == session->media[i].formats &&
            media.direction == session->media[i].direction);
    require(!media.has_ice && media.rtcp_address.family == tandem::IpAddress::Family::none);
  }
  return 0;
}
