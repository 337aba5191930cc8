#include "sim/endpoint_keys.hpp"

#include <utility>

namespace tandem::sim {

void EndpointKeys::take(const sip::SdpMedia* audio) {
  theirs_ = audio == nullptr ? std::vector<sip::SdpCrypto>() : sip::sdp_cryptos(*audio);
  settle();
}

std::string EndpointKeys::describe(SrtpMode mode, const sip::SdpMedia* answered, Random& random,
                                   std::string& protocol) {
  const bool may = mode == SrtpMode::optional || mode == SrtpMode::required;
  if (answered != nullptr) {
    protocol = answered->protocol;
    if (!may || theirs_.empty()) {
      shown_.clear();
    } else {
      const sip::SdpCrypto& chosen = theirs_.front();
      const bool goes_on = side_ != nullptr && side_->crypto().receive == chosen.key &&
                           shown_.size() == 1 && shown_.front().tag == chosen.tag;
      if (!goes_on) shown_ = {{chosen.tag, sip::make_srtp_key(chosen.key.suite, random)}};
    }
    settle();
  } else {
    protocol = mode == SrtpMode::required ? "RTP/SAVP" : "RTP/AVP";
    if (!may) {
      shown_.clear();
    } else if (shown_.empty()) {
      shown_ = sip::make_srtp_offer(random);
    }
  }
  std::string lines;
  for (const sip::SdpCrypto& crypto : shown_)
    lines += sip::sdp_crypto_line(crypto) + "\r\n";
  return lines;
}

void EndpointKeys::settle() {
  for (const sip::SdpCrypto& given : theirs_) {
    for (const sip::SdpCrypto& own : shown_) {
      if (own.tag != given.tag || own.key.suite != given.key.suite) continue;
      auto side = media::SrtpSide::create({given.key, own.key}, side_.get());
      if (side) side_ = std::move(*side);
      return;
    }
  }
  side_.reset();
}

bool EndpointKeys::seal(std::string_view& packet) noexcept {
  return side_ == nullptr || side_->seal_rtp(packet);
}

bool EndpointKeys::open(std::string_view& packet) noexcept {
  if (side_ == nullptr) return true;
  if (side_->open_rtp(packet) == media::SrtpVerdict::authentic) return true;
  ++failures_;
  return false;
}

}  // namespace tandem::sim
