// What only a call has whose audio is converted or played, beside where it goes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sip/sdp_transcode.hpp"
#include "tandem/media_audio.hpp"

namespace tandem::call {

struct AudioPlan {
  std::array<std::vector<sip::SdpTaken>, 2> taken;  ///< By MediaSide: what it offered last.
  std::array<bool, 2> is_told{};  ///< By MediaSide: it gets keys of the other side in INFO.
};

/// How a side speaks by a section of a description that it sent, or was shown.
MediaAudio audio_of(const sip::SdpMedia& media);

}  // namespace tandem::call
