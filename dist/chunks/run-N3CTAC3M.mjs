import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{buildWithCaches,main,planWithCaches,post}from"./chunk-2L3AL64J.mjs";import"./chunk-SVZDKJR4.mjs";import"./chunk-ZPVBRTWI.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-PLGI4CXG.mjs";export{buildWithCaches,main,planWithCaches,post};
