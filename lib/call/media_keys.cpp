#include "call/media_keys.hpp"

#include <algorithm>
#include <utility>

namespace tandem::call {

namespace {

constexpr std::size_t index_of(MediaSide side) noexcept { return static_cast<std::size_t>(side); }
constexpr std::size_t other_of(MediaSide side) noexcept { return 1 - index_of(side); }

void write_lines(const std::vector<sip::SdpCrypto>& cryptos, sip::SdpStreamEdit& edit) {
  edit.crypto.clear();
  for (const sip::SdpCrypto& crypto : cryptos)
    edit.crypto.push_back(sip::sdp_crypto_line(crypto));
}

}  // namespace

void StreamKeys::pass_offer(MediaSide from, const sip::SdpMedia& media,
                            const SrtpSettings& settings, Random& random,
                            sip::SdpStreamEdit& edit) {
  Side& offerer = sides_[index_of(from)];
  Side& other = sides_[other_of(from)];
  const SrtpMode of_offerer = settings[index_of(from)].mode;
  const SrtpSetting& of_other = settings[other_of(from)];
  offerer.is_offerer = true;
  other.is_offerer = false;
  offerer.protocol = media.protocol;
  const SrtpSetting& own = settings[index_of(from)];
  const bool is_dtls = sip::is_dtls_profile(media.protocol);
  offerer.offered = is_dtls || own.keys == SrtpKeySource::dtls ? std::vector<sip::SdpCrypto>()
                                                               : sip::sdp_cryptos(media);
  if (!is_dtls) offerer.dtls = {};
  edit.replaces_crypto = true;
  edit.crypto.clear();
  const bool must_be_secure =
      sip::is_secure_profile(media.protocol) || of_offerer == SrtpMode::required;
  const bool has_dtls = is_dtls && own.keys != SrtpKeySource::sdes &&
                        offerer.dtls.take_offer(media, own.ice, random) && media.is_audio();
  if (must_be_secure && (of_offerer == SrtpMode::off || (offerer.offered.empty() && !has_dtls))) {
    edit.is_refused = true;
    edit.replaces_handshake = is_dtls;
    if (is_dtls) edit.protocol = sip::with_security(media.protocol, false);
    return;
  }
  const bool is_offered_dtls = other.dtls.is_agreed() || (of_other.mode == SrtpMode::required &&
                                                          of_other.keys == SrtpKeySource::dtls);
  edit.replaces_handshake = has_dtls || is_offered_dtls || media.has_dtls;
  if (is_offered_dtls) {
    if (!media.is_audio()) {
      edit.is_refused = true;
      return;
    }
    // The profile of the last description, so that a session is not asked to change it.
    if (!sip::is_dtls_profile(other.protocol)) other.protocol = sip::dtls_profile;
    edit.protocol = other.protocol;
    other.shown.clear();
    other.dtls.make_offer(of_other.ice, random);
    return;
  }
  other.dtls = {};
  const bool is_agreed = other.agreed.send.suite != SrtpSuite::none;
  const bool may_offer = of_other.may_offer || is_agreed;
  if (of_other.mode == SrtpMode::required && !may_offer) {
    edit.is_refused = true;
    return;
  }
  // Best effort is plain RTP/AVP with keys, which a device without SRTP answers without: nothing
  // that needs a second try.
  const bool has_keys = of_other.mode != SrtpMode::off && of_other.keys != SrtpKeySource::dtls &&
                        may_offer && (of_other.mode != SrtpMode::pass || is_agreed);
  const bool is_secure = has_keys && (of_other.mode == SrtpMode::required ||
                                      (is_agreed && sip::is_secure_profile(other.protocol)));
  edit.protocol = sip::with_security(media.protocol, is_secure);
  other.protocol = edit.protocol;
  if (!has_keys) {
    other.shown.clear();
  } else if (is_agreed) {
    // The same key goes on, so that no counter begins anew (RFC 4568 section 7.1.4).
    other.shown = {{other.tag, other.agreed.send}};
  } else if (other.shown.empty() || other.is_spent) {
    // The counters of a key that was in use are gone with it, so it must not come back.
    other.shown = sip::make_srtp_offer(random);
    other.is_spent = false;
  }
  write_lines(other.shown, edit);
}

void StreamKeys::pass_answer(MediaSide from, const sip::SdpMedia& media,
                             const SrtpSettings& settings, Random& random,
                             sip::SdpStreamEdit& edit) {
  Side& answerer = sides_[index_of(from)];
  Side& offerer = sides_[other_of(from)];
  edit.replaces_crypto = true;
  edit.crypto.clear();
  if (!offerer.protocol.empty()) edit.protocol = offerer.protocol;
  answerer.agreed = {};
  edit.replaces_handshake =
      offerer.dtls.has_offer() || answerer.dtls.is_offered() || media.has_dtls;
  if (edit.is_refused) {
    offerer.agreed = {};
    // A stream of a bundle is named also when it is refused (RFC 8843 section 7.3).
    if (!offerer.dtls.mid().empty()) edit.handshake = {"a=mid:" + offerer.dtls.mid()};
    return;
  }
  if (answerer.dtls.is_offered()) {
    if (!sip::is_dtls_profile(media.protocol) || !answerer.dtls.take_answer(media)) {
      edit.is_refused = true;
      offerer.agreed = {};
      return;
    }
    return answer(offerer, settings[other_of(from)].mode, random, edit);
  }
  for (const sip::SdpCrypto& given : sip::sdp_cryptos(media)) {
    const auto shown = std::find_if(
        answerer.shown.begin(), answerer.shown.end(),
        [&](const auto& one) { return one.tag == given.tag && one.key.suite == given.key.suite; });
    if (shown == answerer.shown.end()) continue;
    answerer.agreed = {given.key, shown->key};
    answerer.tag = shown->tag;
    answerer.is_spent = true;
    break;
  }
  const bool must_be_secure =
      settings[index_of(from)].mode == SrtpMode::required || sip::is_secure_profile(media.protocol);
  if (must_be_secure && answerer.agreed.send.suite == SrtpSuite::none) {
    edit.is_refused = true;
    offerer.agreed = {};
    return;
  }
  answer(offerer, settings[other_of(from)].mode, random, edit);
}

void StreamKeys::answer_own(MediaSide side, const SrtpSettings& settings, Random& random,
                            sip::SdpStreamEdit& edit) {
  edit.replaces_crypto = true;
  edit.crypto.clear();
  answer(sides_[index_of(side)], settings[index_of(side)].mode, random, edit);
}

/// Of what it offers, what it prefers.
void StreamKeys::answer(Side& offerer, SrtpMode mode, Random& random, sip::SdpStreamEdit& edit) {
  edit.replaces_handshake =
      edit.replaces_handshake || offerer.dtls.has_offer() || offerer.dtls.is_shown();
  if (offerer.dtls.has_offer()) {
    offerer.shown.clear();
    offerer.agreed = {};
    return offerer.dtls.answer();
  }
  if (!offerer.is_offerer) {
    // The other one was asked alone, to refresh its session: here all stays as it is.
    offerer.shown.clear();
    if (offerer.agreed.send.suite != SrtpSuite::none)
      offerer.shown = {{offerer.tag, offerer.agreed.send}};
    return write_lines(offerer.shown, edit);
  }
  if (mode == SrtpMode::off || offerer.offered.empty()) {
    offerer.agreed = {};
    return;
  }
  const sip::SdpCrypto& chosen = offerer.offered.front();
  // With a new key it may begin to count anew both ways, so ours is a new one too.
  SrtpKey own = offerer.agreed.receive == chosen.key ? offerer.agreed.send
                                                     : sip::make_srtp_key(chosen.key.suite, random);
  offerer.agreed = {chosen.key, std::move(own)};
  offerer.tag = chosen.tag;
  offerer.shown = {{chosen.tag, offerer.agreed.send}};
  offerer.is_spent = true;
  write_lines(offerer.shown, edit);
}

}  // namespace tandem::call
