// Keys of what is said in session descriptions, which gateways have in `sip` and phones beside the
// others.
#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

namespace {

void read_annex(Reader& r, const Json& v, AnnexMode& mode) {
  r.choice<AnnexMode>(v,
                      {{"auto", AnnexMode::auto_mode},
                       {"yes", AnnexMode::yes},
                       {"no", AnnexMode::no},
                       {"omit", AnnexMode::omit},
                       {"pass", AnnexMode::pass}},
                      mode);
}

void read_g729(Reader& r, const Json& v, G729Mode& mode) {
  r.choice<G729Mode>(v,
                     {{"auto", G729Mode::auto_mode},
                      {"g729", G729Mode::g729},
                      {"g729a", G729Mode::g729a},
                      {"both", G729Mode::both}},
                     mode);
}

/// 0, or a dynamic type.
void read_dynamic_type(Reader& r, const Json& v, std::uint8_t& type) {
  std::uint8_t number = 0;
  r.number(v, 0, 127, number);
  if (number != 0 && number < 96) return r.fail(std::to_string(number) + " is not 0 or in 96..127");
  type = number;
}

/// Also as a number.
void read_ringback(Reader& r, const Json& v, RemoteRingback& mode) {
  const Json text = v.is_number_integer() ? Json(std::to_string(v.get<std::int64_t>())) : v;
  r.choice<RemoteRingback>(text,
                           {{"auto", RemoteRingback::auto_mode},
                            {"183", RemoteRingback::session_progress},
                            {"180", RemoteRingback::ringing}},
                           mode);
}

/// RFC 4733 is what RFC 2833 became.
void read_dtmf_receive(Reader& r, const Json& v, DtmfReceive& ways) {
  r.choice<DtmfReceive>(v,
                        {{"all", DtmfReceive::all},
                         {"rfc4733", DtmfReceive::rfc4733},
                         {"rfc2833", DtmfReceive::rfc4733},
                         {"signalling", DtmfReceive::signalling},
                         {"off", DtmfReceive::off}},
                        ways);
}

void read_dtmf_send(Reader& r, const Json& v, DtmfSend& ways) {
  r.choice<DtmfSend>(v,
                     {{"auto", DtmfSend::auto_mode},
                      {"rfc4733", DtmfSend::rfc4733},
                      {"rfc2833", DtmfSend::rfc4733},
                      {"info", DtmfSend::info},
                      {"off", DtmfSend::off},
                      {"inband", DtmfSend::inband}},
                     ways);
}

void read_srtp(Reader& r, const Json& v, SrtpMode& mode) {
  r.choice<SrtpMode>(v,
                     {{"pass", SrtpMode::pass},
                      {"off", SrtpMode::off},
                      {"optional", SrtpMode::optional},
                      {"required", SrtpMode::required}},
                     mode);
}

void read_srtp_keys(Reader& r, const Json& v, SrtpKeySource& keys) {
  r.choice<SrtpKeySource>(
      v,
      {{"sdes", SrtpKeySource::sdes}, {"dtls", SrtpKeySource::dtls}, {"both", SrtpKeySource::both}},
      keys);
}

void read_ice(Reader& r, const Json& v, IceMode& mode) {
  r.choice<IceMode>(v, {{"off", IceMode::off}, {"lite", IceMode::lite}}, mode);
}

void read_networks(Reader& r, const Json& v, std::vector<IpNetwork>& networks) {
  constexpr std::size_t networks_max = 4096;  // of MediaSources
  if (v.size() > networks_max)
    return r.fail(std::to_string(v.size()) + " networks are more than " +
                  std::to_string(networks_max));
  networks.clear();
  r.each(v, [&](const Json& entry) {
    std::string text;
    if (!r.string(entry, text)) return;
    if (const auto network = IpNetwork::parse(text)) {
      networks.push_back(*network);
    } else {
      r.fail(network.error().message);
    }
  });
}

}  // namespace

template <class T>
std::vector<Field<T>> description_fields() {
  return {
      {"annexb", "auto|yes|no|omit|pass", "auto",
       "What descriptions for it say of annexb of G.729, silence suppression: what the other side "
       "says, a value of its own, nothing, or what the other side says spelled out (M-08).",
       [](Reader& r, const Json& v, T& t) { read_annex(r, v, t.annexb); }, "sipG729Annexb"},
      {"annexa", "auto|yes|no|omit|pass", "auto", "The same of annexa of G.723.1.",
       [](Reader& r, const Json& v, T& t) { read_annex(r, v, t.annexa); }, "sipG723Annexa"},
      {"g729_mode", "auto|g729|g729a|both", "auto",
       "What descriptions for it call G.729: what the other side does, G729, G729A, or in an offer "
       "both, each with a number of its own, where media is relayed (M-08).",
       [](Reader& r, const Json& v, T& t) { read_g729(r, v, t.g729_mode); }},
      {"ptime_adaptive", "boolean", "false",
       "The other side is told a packet time that it can take: not above its maxptime (M-10). "
       "Packets of G.711 and other codecs that the relay knows are cut or joined to its ptime.",
       [](Reader& r, const Json& v, T& t) { r.boolean(v, t.ptime_adaptive); }},
      {"nat_sdp_first", "boolean", "false",
       "Relayed media goes to the address in its SDP, unless that is private, also when its "
       "packets "
       "come from elsewhere (M-03).",
       [](Reader& r, const Json& v, T& t) { r.boolean(v, t.nat_sdp_first); }},
      {"remote_ringback", "auto|183|180", "auto",
       "What a caller gets for a 180 or 183: what came, or that status with a description, if need "
       "be one of silence from the relay. A customer's goes before a vendor's (M-12).",
       [](Reader& r, const Json& v, T& t) { read_ringback(r, v, t.remote_ringback); },
       "sipRemoteRingSignal"},
      {"dtmf_receive", "all|rfc4733|signalling|off", "all",
       "How keys may come from it: as telephone events, in INFO, both or neither (M-09).",
       [](Reader& r, const Json& v, T& t) { read_dtmf_receive(r, v, t.dtmf_receive); }},
      {"dtmf_send", "auto|rfc4733|info|inband|off", "auto",
       "How keys may go to it; auto: as they come; inband: as tones in the voice, made by the "
       "relay.",
       [](Reader& r, const Json& v, T& t) { read_dtmf_send(r, v, t.dtmf_send); }},
      {"srtp", "pass|off|optional|required", "pass",
       "Encryption of its media, with keys of `srtp_keys`. pass: as descriptions say, from end to "
       "end where "
       "the other side has pass too. Else the switch bridges: never, where it offers or takes it, "
       "or a call without is refused.",
       [](Reader& r, const Json& v, T& t) { read_srtp(r, v, t.srtp); }},
      {"srtp_any_transport", "boolean", "false",
       "Keys are offered to it over UDP and TCP too, where anybody on the way can read them.",
       [](Reader& r, const Json& v, T& t) { r.boolean(v, t.srtp_any_transport); }},
      {"srtp_keys", "sdes|dtls|both", "sdes",
       "Where its keys come from, where `srtp` of it or of the other side is not pass: from "
       "descriptions (RFC 4568), or from a handshake in the media, as browsers do (DTLS-SRTP, RFC "
       "5763); both: as it offers, and it is offered those of sdes.",
       [](Reader& r, const Json& v, T& t) { read_srtp_keys(r, v, t.srtp_keys); }},
      {"ice", "off|lite", "off",
       "lite: with keys of dtls the relay answers its checks of connectivity, as browsers need "
       "(RFC 8445), and takes and sends media only from and to where these were authentic.",
       [](Reader& r, const Json& v, T& t) { read_ice(r, v, t.ice); }},
      {"allow_media_networks", "array", "[]",
       "Networks that its relayed media may come from (S-01); none: all. At most 4096.",
       [](Reader& r, const Json& v, T& t) { read_networks(r, v, t.media_sources.allow); }},
      {"deny_media_networks", "array", "[]",
       "Networks that it may not come from, whatever else is allowed. At most 4096.",
       [](Reader& r, const Json& v, T& t) { read_networks(r, v, t.media_sources.deny); }},
      {"dtmf_convert", "boolean", "false",
       "Keys for it that come in another way than `dtmf_send` says are converted where media is "
       "relayed; with auto to telephone events, or INFO where it takes none.",
       [](Reader& r, const Json& v, T& t) { r.boolean(v, t.dtmf_convert); }},
      {"dtmf_payload_type", "0, 96..127", "0",
       "Number of telephone events in offers for it, where media is relayed; 0: as the other side "
       "has it, or 101 (M-09).",
       [](Reader& r, const Json& v, T& t) { read_dynamic_type(r, v, t.dtmf_payload_type); }},
      {"dtmf_inband", "boolean", "false",
       "Tones in the voice that it sends are keys as well, where media is relayed.",
       [](Reader& r, const Json& v, T& t) { r.boolean(v, t.dtmf_inband); }, "rtpIncludeDtmfInband"},
      {"t38", "boolean", "true",
       "Fax over T.38 is passed on; false: a change of the session to it gets 488 (M-11). Both "
       "sides must say so.",
       [](Reader& r, const Json& v, T& t) { r.boolean(v, t.t38); }, "sipT38"},
      {"transcode", "boolean", "false",
       "Relayed audio is converted between A-law, mu-law, opus, G722 and codecs of the host where "
       "the two sides have none in common; both must say so (M-07).",
       [](Reader& r, const Json& v, T& t) { r.boolean(v, t.transcode); },
       "audioCodecTranscodingEnable"},
  };
}

template std::vector<Field<SipOptions>> description_fields();
template std::vector<Field<PhoneConfig>> description_fields();

}  // namespace tandem::config
