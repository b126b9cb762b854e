package sqlstore

// SelectUnsettled is a statement whose plan is tested.
const SelectUnsettled = selectUnsettled
