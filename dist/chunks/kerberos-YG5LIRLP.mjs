import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{__esm}from"./chunk-T2HU3UG2.mjs";var init_kerberos=__esm({"left-out:kerberos"(){throw new Error("kerberos is not part of the bundle")}});init_kerberos();
