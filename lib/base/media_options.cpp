#include "tandem/media_options.hpp"

#include <array>

#include "base/text.hpp"
#include "tandem/geofence.hpp"

namespace tandem {

namespace {

struct KnownCodec {
  std::string_view spelling;
  std::string_view name;  // "": `spelling` is the registered one
  bool is_video = false;
};

// The names of M-07 and those registered since. Decoders of G.729 take what its annex A and its
// annex B (silence) send, so that the names that devices make of these mean G729.
constexpr std::array known_codecs = {
    KnownCodec{"PCMU", ""},
    KnownCodec{"PCMA", ""},
    KnownCodec{"G729", ""},
    KnownCodec{"G729A", "G729"},
    KnownCodec{"G729B", "G729"},
    KnownCodec{"G729AB", "G729"},
    KnownCodec{"G729D", ""},
    KnownCodec{"G729E", ""},
    KnownCodec{"G723", ""},
    KnownCodec{"G7231", "G723"},
    KnownCodec{"G723.1", "G723"},
    KnownCodec{"G722", ""},
    KnownCodec{"G7221", ""},
    KnownCodec{"G726-16", ""},
    KnownCodec{"G726-24", ""},
    KnownCodec{"G726-32", ""},
    KnownCodec{"G726", "G726-32"},
    KnownCodec{"G721", "G726-32"},
    KnownCodec{"G726-40", ""},
    KnownCodec{"G728", ""},
    KnownCodec{"GSM", ""},
    KnownCodec{"GSM-EFR", ""},
    KnownCodec{"GSM-HR-08", ""},
    KnownCodec{"iLBC", ""},
    KnownCodec{"opus", ""},
    KnownCodec{"AMR", ""},
    KnownCodec{"AMR-WB", ""},
    KnownCodec{"EVS", ""},
    KnownCodec{"SILK", ""},
    KnownCodec{"speex", ""},
    KnownCodec{"DVI4", ""},
    KnownCodec{"VDVI", ""},
    KnownCodec{"L8", ""},
    KnownCodec{"L16", ""},
    KnownCodec{"LPC", ""},
    KnownCodec{"MPA", ""},
    KnownCodec{"QCELP", ""},
    KnownCodec{"H261", "", true},
    KnownCodec{"H263", "", true},
    KnownCodec{"H263-1998", "", true},
    KnownCodec{"H263-2000", "", true},
    KnownCodec{"H264", "", true},
    KnownCodec{"H265", "", true},
    KnownCodec{"VP8", "", true},
    KnownCodec{"VP9", "", true},
    KnownCodec{"AV1", "", true},
    KnownCodec{"JPEG", "", true},
    KnownCodec{"MPV", "", true},
    KnownCodec{"MP2T", "", true},
    KnownCodec{"MP1S", "", true},
    KnownCodec{"MP2P", "", true},
    KnownCodec{"nv", "", true},
    KnownCodec{"BT656", "", true},
    KnownCodec{"CelB", "", true},
    KnownCodec{"BMPEG", "", true},
};

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_same_word(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

const KnownCodec* find_codec(std::string_view name) noexcept {
  for (const KnownCodec& known : known_codecs) {
    if (is_same_word(known.spelling, name)) return &known;
  }
  return nullptr;
}

std::string printable(std::string_view text) {
  std::string shown;
  for (char c : text.substr(0, 40))
    shown += c >= 0x20 && c < 0x7F ? c : '?';
  return shown;
}

}  // namespace

Result<CodecName> CodecName::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view word = text.substr(0, slash);
  for (const char* beside : {"telephone-event", "CN", "RED", "tone", "rtx", "ulpfec"}) {
    if (is_same_word(word, beside)) {
      return Error{ErrorCode::invalid_argument,
                   "\"" + printable(text) + "\" goes beside the codecs, whatever they are"};
    }
  }
  const KnownCodec* const known = find_codec(word);
  if (known == nullptr) {
    return Error{ErrorCode::invalid_argument, "\"" + printable(text) + "\" is no codec"};
  }
  CodecName codec;
  codec.name = known->name.empty() ? known->spelling : known->name;
  codec.is_video = known->is_video;
  if (slash == std::string_view::npos) return codec;
  const auto rate = parse_integer<std::uint32_t>(text.substr(slash + 1));
  if (!rate || *rate == 0 || *rate > 1'000'000) {
    return Error{ErrorCode::invalid_argument,
                 "clock rate of codec \"" + printable(text) + "\" was not 1..1000000"};
  }
  codec.clock_rate_hz = *rate;
  return codec;
}

std::string CodecName::to_string() const {
  return clock_rate_hz == 0 ? name : name + '/' + std::to_string(clock_rate_hz);
}

std::string_view registered_codec_name(std::string_view name) noexcept {
  const KnownCodec* const known = find_codec(name);
  if (known == nullptr) return name;
  return known->name.empty() ? known->spelling : known->name;
}

std::string to_string(const std::vector<CodecName>& codecs) {
  std::string text;
  for (const CodecName& codec : codecs) {
    if (!text.empty()) text += ',';
    text += codec.to_string();
  }
  return text;
}

const char* media_mode_name(MediaMode mode) noexcept {
  switch (mode) {
    case MediaMode::auto_mode:
      return "auto";
    case MediaMode::on:
      return "on";
    case MediaMode::off:
      return "off";
    case MediaMode::must_on:
      return "must_on";
  }
  return "";
}

const char* annex_mode_name(AnnexMode mode) noexcept {
  switch (mode) {
    case AnnexMode::auto_mode:
      return "auto";
    case AnnexMode::yes:
      return "yes";
    case AnnexMode::no:
      return "no";
    case AnnexMode::omit:
      return "omit";
    case AnnexMode::pass:
      return "pass";
  }
  return "";
}

const char* g729_mode_name(G729Mode mode) noexcept {
  switch (mode) {
    case G729Mode::auto_mode:
      return "auto";
    case G729Mode::g729:
      return "g729";
    case G729Mode::g729a:
      return "g729a";
    case G729Mode::both:
      return "both";
  }
  return "";
}

const char* dtmf_receive_name(DtmfReceive ways) noexcept {
  switch (ways) {
    case DtmfReceive::all:
      return "all";
    case DtmfReceive::rfc4733:
      return "rfc4733";
    case DtmfReceive::signalling:
      return "signalling";
    case DtmfReceive::off:
      return "off";
  }
  return "";
}

const char* dtmf_send_name(DtmfSend ways) noexcept {
  switch (ways) {
    case DtmfSend::auto_mode:
      return "auto";
    case DtmfSend::rfc4733:
      return "rfc4733";
    case DtmfSend::info:
      return "info";
    case DtmfSend::off:
      return "off";
    case DtmfSend::inband:
      return "inband";
  }
  return "";
}

const char* hearers_name(Hearers hearers) noexcept {
  switch (hearers) {
    case Hearers::caller:
      return "caller";
    case Hearers::callee:
      return "callee";
    case Hearers::both:
      return "both";
  }
  return "";
}

const char* remaining_name(Remaining remaining) noexcept {
  switch (remaining) {
    case Remaining::none:
      return "none";
    case Remaining::minutes:
      return "minutes";
    case Remaining::amount:
      return "amount";
  }
  return "";
}

const char* geofence_mode_name(GeofenceMode mode) noexcept {
  switch (mode) {
    case GeofenceMode::ignore:
      return "ignore";
    case GeofenceMode::forbidden:
      return "forbidden";
    case GeofenceMode::allow:
      return "allow";
  }
  return "";
}

const char* remote_ringback_name(RemoteRingback mode) noexcept {
  switch (mode) {
    case RemoteRingback::auto_mode:
      return "auto";
    case RemoteRingback::session_progress:
      return "183";
    case RemoteRingback::ringing:
      return "180";
  }
  return "";
}

}  // namespace tandem
