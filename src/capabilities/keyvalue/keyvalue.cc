#include "capabilities/keyvalue/keyvalue.h"

#include "capabilities/keyvalue/host.h"
#include "capabilities/offer_table.h"
#include "wit/wasi/keyvalue_0_2_0_draft/atomics.h"
#include "wit/wasi/keyvalue_0_2_0_draft/batch.h"
#include "wit/wasi/keyvalue_0_2_0_draft/store.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/atomics.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/batch.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/store.h"
#include "wit/weft/keyvalue_rows_0_2_0_draft2/batch.h"

namespace weft::keyvalue {
namespace {

namespace draft = ::weft::wit::wasi::keyvalue_0_2_0_draft;
namespace draft2 = ::weft::wit::wasi::keyvalue_0_2_0_draft2;
namespace rows = ::weft::wit::weft::keyvalue_rows_0_2_0_draft2;

using Make = std::unique_ptr<Provider> (*)(std::unique_ptr<Store>, const Use&);

// The second shape of batch has a package of its own here, and goes by the first one's name.
constexpr OfferTable<Make, 7> kTable({
    {{draft::store::kName, draft::store::kFunctions}, draft_store},
    {{draft::atomics::kName, draft::atomics::kFunctions}, draft_atomics},
    {{draft::batch::kName, draft::batch::kFunctions}, draft_batch},
    {{draft2::store::kName, draft2::store::kFunctions}, draft2_store},
    {{draft2::atomics::kName, draft2::atomics::kFunctions}, draft2_atomics},
    {{draft2::batch::kName, draft2::batch::kFunctions}, draft2_batch},
    {{draft2::batch::kName, rows::batch::kFunctions}, draft2_batch_rows},
});

}  // namespace

std::span<const Offer> KeyvalueCapability::offers() const {
  return kTable.offers();
}

std::unique_ptr<Provider> KeyvalueCapability::provider(const Offer& offer, Site site) {
  return kTable.maker(offer)(backend_->store(site.loop), site.use);
}

}  // namespace weft::keyvalue
