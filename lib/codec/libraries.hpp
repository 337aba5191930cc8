// The codecs that need a library; each is there where that was found (cmake/Codecs.cmake).
#pragma once

#include <memory>

#include "tandem/audio_codec.hpp"

namespace tandem::codec {

std::shared_ptr<const AudioCodec> make_g722();
std::shared_ptr<const AudioCodec> make_opus();

}  // namespace tandem::codec
