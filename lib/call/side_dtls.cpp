#include "call/side_dtls.hpp"

#include <utility>

namespace tandem::call {

void SideDtls::make_words(Random& random) {
  ice_ufrag_ = sip::make_ice_word(sip::ice_ufrag_length, random);
  ice_password_ = sip::make_ice_word(sip::ice_password_length, random);
}

bool SideDtls::uses_ice() const noexcept {
  return !ice_ufrag_.empty() && !theirs_.ice_ufrag.empty() && !theirs_.is_ice_lite;
}

bool SideDtls::take_offer(const sip::SdpMedia& media, IceMode ice, Random& random) {
  const std::string before = std::move(theirs_.ice_ufrag);
  theirs_ = sip::sdp_handshake(media);
  has_offer_ = true;
  is_offered_ = false;
  mid_ = theirs_.mid;
  is_bundled_ = theirs_.is_bundled;
  has_rtcp_mux_ = theirs_.has_rtcp_mux;
  // Two lite agents make no checks: each goes by the other's description (RFC 8445 section 6.1.1).
  if (ice == IceMode::off || theirs_.ice_ufrag.empty() || theirs_.is_ice_lite) {
    ice_ufrag_.clear();
    ice_password_.clear();
  } else if (ice_ufrag_.empty() || before != theirs_.ice_ufrag) {
    make_words(random);  // a restart of theirs is one of ours (RFC 8839 section 4.4.1.1.1)
  }
  return !theirs_.fingerprints.empty() && theirs_.setup != sip::SdpSetup::holdconn;
}

void SideDtls::answer() {
  // With its certificate as before the association stays, and with it the roles (RFC 8842 section
  // 5.3), unless it insists on another.
  DtlsRole role = agreed_.fingerprints == theirs_.fingerprints ? agreed_.role : DtlsRole::none;
  if (theirs_.setup == sip::SdpSetup::active) role = DtlsRole::server;
  if (theirs_.setup == sip::SdpSetup::passive) role = DtlsRole::client;
  // To wait costs nothing, and what comes then came through its NAT.
  if (role == DtlsRole::none) role = DtlsRole::server;
  setup_ = role == DtlsRole::server ? sip::SdpSetup::passive : sip::SdpSetup::active;
  agree(role);
}

void SideDtls::make_offer(IceMode ice, Random& random) {
  has_offer_ = false;
  is_offered_ = true;
  if (ice == IceMode::off) {
    ice_ufrag_.clear();
    ice_password_.clear();
  } else if (ice_ufrag_.empty()) {
    make_words(random);
  }
  setup_ = sip::SdpSetup::actpass;
  if (mid_.empty()) mid_.assign(1, '0');
  is_bundled_ = has_rtcp_mux_ = true;
}

bool SideDtls::take_answer(const sip::SdpMedia& media) {
  theirs_ = sip::sdp_handshake(media);
  if (theirs_.fingerprints.empty() || theirs_.setup == sip::SdpSetup::holdconn) {
    agreed_ = {};
    return false;
  }
  if (!uses_ice()) {
    ice_ufrag_.clear();
    ice_password_.clear();
  }
  const bool waits = theirs_.setup == sip::SdpSetup::passive;
  setup_ = waits ? sip::SdpSetup::active : sip::SdpSetup::passive;
  has_rtcp_mux_ = theirs_.has_rtcp_mux;
  agree(waits ? DtlsRole::client : DtlsRole::server);
  return true;
}

void SideDtls::agree(DtlsRole role) {
  agreed_ = {};
  agreed_.role = role;
  agreed_.fingerprints = theirs_.fingerprints;
  agreed_.rtcp_mux = has_rtcp_mux_;
  if (!uses_ice()) return;
  agreed_.ice_ufrag = ice_ufrag_;
  agreed_.ice_password = ice_password_;
  agreed_.remote_ice_ufrag = theirs_.ice_ufrag;
}

std::vector<std::string> SideDtls::lines(const DtlsFingerprint& fingerprint,
                                         const SocketAddress& ours) const {
  return sip::sdp_handshake_lines(
      {fingerprint, setup_, ice_ufrag_, ice_password_, has_rtcp_mux_, mid_, ours});
}

std::vector<std::string> SideDtls::session_lines() const {
  std::vector<std::string> lines;
  if (is_bundled_) lines.push_back("a=group:BUNDLE " + mid_);
  if (!ice_ufrag_.empty()) lines.emplace_back("a=ice-lite");
  return lines;
}

}  // namespace tandem::call
