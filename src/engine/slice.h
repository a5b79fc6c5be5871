#pragma once

namespace weft {

// Whether a guest on this thread computed until a tick made it yield, since this was last asked.
bool take_slice_over();

}  // namespace weft
