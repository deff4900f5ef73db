ld:startv({
  log = { "io", "g" },
  scheduler = scheduler(0x70),
  caps = {
    sigma0 = L4.cast(L4.Proto.Factory, L4.Env.sigma0):create(L4.Proto.Sigma0),
    icu = L4.Env.icu,
    iommu = L4.Env.iommu, -- nothing where there is none
@BUSES@  },
}, "rom/io"@FILES@)
