#include "call/hold_tone.hpp"

#include <utility>

#include "call/audio_plan.hpp"
#include "sip/sdp.hpp"

namespace tandem::call {

Result<HoldTone> HoldTone::open(MediaRelay& relay, MediaSide party, std::string_view shown,
                                const MediaSources& sources) {
  const auto session = sip::parse_sdp(shown);
  if (!session) return session.error();
  const sip::SdpMedia* const audio = session->first_audio();
  if (audio == nullptr || !audio->is_rtp() || audio->has_crypto || audio->has_dtls)
    return Error{ErrorCode::unsupported, "the call had no audio that is not encrypted"};
  const auto index = static_cast<std::size_t>(audio - session->media.data());
  const IpAddress::Family family = audio->address.family;
  auto stream = relay.open(family, family);
  if (!stream) return stream.error();
  if (!sources.is_anybody()) {
    if (auto fenced = stream->set_sources(party, sources); !fenced) return fenced.error();
  }
  return HoldTone(std::move(*stream), party, index);
}

Result<std::string> HoldTone::description(std::string_view shown, bool hears_party) const {
  const auto session = sip::parse_sdp(shown);
  if (!session) return session.error();
  if (index_ >= session->media_count)
    return Error{ErrorCode::unsupported, "the audio of the call was not described"};
  const SocketAddress ours = stream_.local_rtp(party_);
  sip::SdpEdit edit;
  edit.origin_address = ours.ip;
  edit.streams.resize(session->media_count);
  for (std::size_t i = 0; i < session->media_count; ++i) {
    const sip::SdpMedia& media = session->media[i];
    edit.streams[i].is_refused = media.port == 0;
    edit.streams[i].address = i == index_ ? ours.ip : media.address;
    edit.streams[i].port = i == index_ ? ours.port : media.port;
  }
  auto written = sip::rewrite_sdp(*session, edit);
  if (!written) return written;
  return sip::held(*written, index_, hears_party ? "sendrecv" : "sendonly");
}

Result<void> HoldTone::play(std::string_view said, const AudioClip& clip) {
  const auto session = sip::parse_sdp(said);
  if (!session) return session.error();
  if (index_ >= session->media_count || session->media[index_].port == 0)
    return Error{ErrorCode::unsupported, "the audio was refused"};
  const MediaAudio wire = audio_of(session->media[index_]);
  if (wire.codec == nullptr)
    return Error{ErrorCode::unsupported, "the party has no codec that can be played in"};
  if (auto set = stream_.set_audio(wire, wire); !set) return set;
  follow(said);
  return stream_.play(party_, clip, {.repeats = true, .until_heard = false});
}

void HoldTone::follow(std::string_view said) {
  const auto session = sip::parse_sdp(said);
  if (!session || index_ >= session->media_count) return;
  const sip::SdpMedia& media = session->media[index_];
  SocketAddress to;  // RFC 2543's hold is nowhere
  if (media.port != 0 && !media.address.is_unspecified()) to = {media.address, media.port};
  (void)stream_.set_remote(party_, to);  // of another family: it stays where it is
}

bool HoldTone::is_for(std::string_view said) const {
  const auto session = sip::parse_sdp(said);
  if (!session || index_ >= session->media_count) return false;
  const sip::SdpDirection direction = session->media[index_].direction;
  return direction == sip::SdpDirection::sendrecv || direction == sip::SdpDirection::recvonly;
}

}  // namespace tandem::call
