# Writes the bytes of INPUT (none: nothing) as what media::bpf::object_file() gives to OUTPUT.
set(bytes "")
if(INPUT)
  file(READ ${INPUT} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
endif()
file(WRITE ${OUTPUT} "#include \"media/kernel/bpf.hpp\"

namespace tandem::media::bpf {
namespace {
const unsigned char bytes[] = {${bytes}
0};
}
std::span<const unsigned char> object_file() noexcept { return {bytes, sizeof bytes - 1}; }
}  // namespace tandem::media::bpf
")
